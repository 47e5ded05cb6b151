// Package sim holds the transactional loop against a simulated Kafka, as tests:
// thousands of short runs, each with a workload, processes, faults and an order of
// all events that follow from its seed. A run ends when the faults have ended and
// all input is taken in; then what is committed must be what the input means.
//
// docs/correctness.md says what a run checks and how to repeat one.
package sim
