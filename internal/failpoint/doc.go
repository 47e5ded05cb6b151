// Package failpoint breaks a program on purpose, at a step where a fault is
// dangerous: it kills the process, stops it, delays the step or lets it fail.
//
// Failpoints are compiled into every program, so the very binary that is
// released is the one that is tested. One that is not armed costs the load of a
// pointer. A process is armed by its environment alone:
//
//	PARALLAX_FAILPOINTS="processor/offsets-sent=kill@3,ingest/before-link=delay=200ms@1+"
//	PARALLAX_FAILPOINTS_LOG=fired.log
//
// An entry is NAME=ACTION@HITS. Points lists the names. The actions:
//
//	kill           the process sends itself SIGKILL
//	stop           it sends itself SIGSTOP; someone else must continue it
//	delay=D        the step waits for D first
//	fail           the step fails, with an error that wraps ErrInjected
//	kill-after=D   SIGKILL after D, in the middle of whatever follows
//
// The hits are counted by name, from 1:
//
//	@3       the third one alone; without an @ it is the first
//	@3+      the third one and every later one
//	@1/50:7  one in 50, drawn from the seed 7: the same hits each time
//
// Trust: what fires is written to standard error and, synced, to the log before
// it acts, so a test knows that its fault happened. An unknown name or a
// malformed entry is refused at the start. A process that is armed says so.
//
// Mutants are the other half: known bugs that are switched on to see whether a
// check catches them. They exist only in programs built with the tag "mutants".
package failpoint
