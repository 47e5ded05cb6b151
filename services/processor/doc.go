// Package processor is the stream side: it answers the views over the events
// topic continuously and exactly once. Config, New and Run are the whole of the
// service; Reset and Rebuild move its state to another views file. How it answers
// is in package engine, how nothing is lost or doubled in package task.
//
// A profile gives the pace: the commit interval, the size of a transaction, how
// long fetches and output may wait. Two limits bound the memory, whatever comes:
// what is fetched ahead (--buffer), and the keys and producers of a partition's
// state (--max-keys), above which it stops with a message. The metrics show the
// way there.
package processor
