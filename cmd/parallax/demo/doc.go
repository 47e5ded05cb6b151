// Package demo is the whole of Parallax on one machine: it starts every
// program, lets the data run through, and ends with the reporter's verdict.
//
// It holds no logic of the services. Each is started by a command line of
// parallax itself, either as a goroutine of this process or as a process of its
// own; they meet only in Kafka, in the lake and in the ledger, so both ways are
// the same. Everything that a run leaves lies in its own folder.
package demo
