// Package result is the contract on answers: the aggregates of a row, their
// exact merge, the canonical bytes by which two rows are the same, and the
// messages of parallax.results, parallax.excluded and parallax.dead-letters.
//
// The package is pure. Any order and any split of additions and merges gives
// the same Agg, and equal Aggs give equal canonical bytes on every machine: no
// float enters a state. Decoders are total: any bytes give a message or an error.
package result
