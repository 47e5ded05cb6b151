// Package bench measures each step of an event's way over real flights:
//
//	make bench                                    all steps, once
//	go test -run '^$' -bench Decode -count 10 .   some, ten times, for benchstat
//
// It holds benchmarks only; README.md says how to read them.
//
// # What is measured
//
// The log is the built-in week as the generator sends it (116,493 events in
// four partitions), four times one after the other, each week with event times
// and seqs after those of the week before: 465,972 events and one punctuation
// per partition. Steps named dense use another log of the same size: one week,
// each event four times in a row under seqs of their own, so that an hour has
// four times the events. An op is one pass over the log. Per step:
//
//	events/s       events of a pass by its wall time
//	cpu-ns/event   user and system time of this process by events, the
//	               garbage collector and librdkafka's threads included
//	allocs/event   allocations of Go by events
//
// The broker is the embedded one, in a process of its own: what it uses is in
// the wall time and not in the CPU time. Starting a client, joining a group and
// closing are in the figures, as they would be in a short run.
//
// # Steps
//
//	Encode           events to wire bytes
//	Decode           wire bytes to events, contract checked
//	DecodeAggregate  the engine with the project's views.yaml: decode,
//	                 deduplication, lateness, cells, final rows, exclusions; and
//	                 a Flush and a Commit after each 4096 events, so early rows
//	                 and changelog. Without Kafka
//	Produce          idempotent: every record and its outcome; transactional:
//	                 kafka.Txn with a commit after each 4096 records
//	Consume          kafka.Reader: committed records in batches
//	ExactlyOnce      the processor over the recorded topic with everything on:
//	                 consume, judge, fold, results, exclusions, changelog and
//	                 offsets in transactions of its default size
//	LakeWrite        ingest: consume, decode, Parquet by hour, sync, manifests
//	BatchScan        every column a job needs, of every row, decoded by pages;
//	                 dictionary codes, no texts
//	BatchRun         a whole job: checksums, both readings, shuffle, commit
package bench
