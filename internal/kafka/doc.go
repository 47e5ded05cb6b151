// Package kafka is the only door to Kafka: the only importer of
// confluent-kafka-go, and the place where each of its traps is dealt with once.
//
//   - Admin: topics made idempotently, topic identity, offsets.
//   - Producer: idempotent, with an outcome for every record.
//   - Sender: idempotent, lists of records, with one outcome for all.
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
//
// Records come out in one of two ways. FetchPoll takes them one by one by the Go
// client's own Poll. FetchBatch takes them by the hundred from each partition's
// own queue, in C, past the Go client, for a third of the CPU time; it is used
// where the library has the functions for it and the client's handle is found,
// and is held to the same answers by tests (paths_test.go). What it relies on:
//
//   - A partition's queue is cut off from the consumer's before the partition is
//     assigned, so no record takes the other way; one that did would be an error.
//   - A record carries the version of its partition's assignment or seek, and
//     librdkafka drops older ones when they are taken from the queue. What was
//     taken before a seek and not handed out is dropped here.
//   - Rebalances and errors still come from the consumer's own queue, by Poll,
//     which also tells the group that the member is alive.
//
// The same way in: ProduceAll hands a list of records to a transaction in one
// call, Produce is its reference and its fallback (records_test.go). A Sender does
// so without a transaction, and counts in C what was acknowledged (sender_test.go).
package kafka
