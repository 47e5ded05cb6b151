// Package kafka is the only door to Kafka: the only importer of
// confluent-kafka-go, and the place where each of its traps is dealt with once.
//
//   - Admin: topics made idempotently, topic identity, offsets.
//   - Producer: idempotent, with an outcome for every record.
//   - Txn: transactional; Classify says what an error means and so what to do.
//   - Consumer: a group member, read in batches per partition.
//   - Reader, ReadTo: given partitions from given offsets, outside any group.
//   - Partition, Topics: the contract of keys and topic names.
//
// It may be trusted for this: readers see committed records only and never
// skip silently (an offset out of range, a bad checksum or an unknown failure
// is an error from Poll, never a reset); a record is never lost because a local
// queue was full or because it was too large; callbacks run on the goroutine
// which polls, so their owner needs no lock. What is done about an error is the
// caller's part.
package kafka
