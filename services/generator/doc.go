// Package generator sends real events to Kafka at a chosen speed and keeps a
// ledger of what it really sent.
//
// Trust: no message leaves before its intent is synced in the ledger; each is
// sent once, or again under the same bytes after a kill; the schedule does not
// wait for a slow sender, so a message's Kafka timestamp is when it was due,
// not when it went out. The same source and wire form give the same bytes per
// partition, whatever the speed.
package generator
