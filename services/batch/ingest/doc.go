// Package ingest brings the events topic into the lake: Kafka's records become
// rows of Parquet files, and each range of offsets one manifest.
//
// What it may be trusted for: every visible record of a partition, from the
// topic's first offset on, is in exactly one manifest of its chain, as a row, a
// dead letter or a punctuation. The chain alone says how far a partition has
// come; the group only shares the partitions among ingesters, and two that
// believe in owning the same one cannot both commit a range. Whoever is killed
// at any instruction leaves nothing that a reader sees. What it cannot go on
// with (another topic under the name, offsets that are gone) stops it.
//
// It does not judge: duplicates, late events and punctuation of unknown senders
// are kept for the readers to decide on.
//
// # Small files
//
// A range makes one file for each hour of event time that occurs in it, so late
// events make small files, and short ranges make many. Ranges are therefore
// long (rows, bytes) and end by time only when little comes in; events of a
// range are held in memory until it ends, so that an hour gets one file however
// its events are scattered. What stays small, the tail of late events, cannot
// be avoided by a writer that also wants to be done; it is for a compaction to
// merge the files of old ranges into a range of the same bounds, whose manifest
// replaces theirs. The manifest's version is where that begins.
package ingest
