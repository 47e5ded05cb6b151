// Package sim holds several ingesters of one lake against a simulated Kafka, as
// tests: thousands of short runs, each with a workload, groups, processes, faults
// and an order of all events that follow from its seed. The lake is a real folder.
// While a run lasts, readers look at the chains; it ends when the faults have
// ended and all input is in the lake, which must then be the log.
//
// docs/correctness.md says what a run checks and how to repeat one.
package sim
