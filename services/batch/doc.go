// Package batch answers the views from the lake, at a cut, in two readings: A
// by the stream's own rule, B with every event.
//
// It shares the question with the stream and never the answer. The first pass
// finds, per partition, what needs the order of offsets: which events repeat an
// id or are stale (identity.go, by sorting), and at which offset each window
// closed (watermark.go, by a sorted window of the last times). The second pass
// judges each row alone, in any order (judge.go), as the map stage of a job of
// package mapreduce; its reduce stage writes the tables of package answer
// (output.go). Sessions cannot be judged row by row: their events are shuffled by
// key (session.go), and the reduce stage replays them in the order of their
// offsets for A, and joins their intervals in the order of time for B (replay.go).
//
// What it may be trusted for: the answer is a function of the manifests below
// the cut and of the views, and so are its bytes, whatever the workers, retries
// and restarts. It never reaches Kafka, and its command is one static binary. Of
// views with sessions it holds one key's events of one partition in memory.
package batch
