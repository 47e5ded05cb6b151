// Package broker runs a Kafka broker inside this process, so that a
// demonstration or a test needs nothing installed.
//
// It is franz-go's kfake: real transactions, real consumer groups, real
// offsets, spoken over a real socket, so every client that we use talks to it
// as to Apache Kafka. This package is the only importer of kfake and sets it up
// in the one way in which all our clients, the Java ones and kafka-python work.
//
// What it may be trusted for: everything that happens while it lives. Killing
// producers, processors and readers against it is a fair test of them.
//
// What it must not be trusted for: its own death. After kill -9 it counts the
// open transactions as aborted without writing their markers, and gives their
// producer ids out again, so that later commits disappear for readers of
// committed records. It is one broker without replicas, keeps everything in
// memory unless a data directory is given, and never tells an in-doubt
// transaction from a finished one. Promises about a broker's death are made and
// tested on Apache Kafka only.
package broker
