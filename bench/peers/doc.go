// Command peers measures the processor against the engines that people use, on
// the same records in the same Apache Kafka:
//
//	make bench-peers                          everything; an hour on two cores
//	make bench-peers ARGS="all --small"       a smoke test with the built-in week
//	make bench-peers ARGS="latency --help"    one part, and its settings
//
// It may be trusted for this: no figure is shown of a run whose answers were not
// compared, cell by cell, with a naive fold of the log; every engine reads the
// same topic and is asked the same question under the same rule of lateness;
// runs are interleaved, so that a slow minute of the machine hits all alike. It
// says nothing about clusters: one machine, one broker, one process per engine.
//
// The engines are programs of their own, started and stopped like any other and
// measured from outside: Java ones under java/, Go loops under engines/. The
// loops are files that no package list sees (go:build ignore), since only one
// room of this project may import a Kafka client; they are built with the
// versions which the project itself uses.
package main
