// Package torture breaks Parallax on purpose and looks whether every promise
// was kept: it starts the real programs as processes, drives a seeded load with
// the ledger, does to them what a row of the matrix says, heals, drains, and lets
// package check judge what is left.
//
// It may be trusted for this: a run whose fault did not happen is a failure, not
// a success; a failure keeps every file and prints the one command that repeats
// it; and nothing that it started outlives it. It repeats a run's load, its
// configuration and its plan from the seed; the machine's own timing it cannot.
package torture
