// Package report is the model of a verdict: what report.json says, and what
// every rendering (terminal, HTML, Markdown, CSV, Parquet) is made from.
//
// The package holds data and words, and does no I/O. It may be trusted for the
// schema: a field is only added within one Version, never changed or removed.
// The figures are those of package compare and of package latency.
//
// Event times are Time: µs UTC in Go, RFC 3339 in JSON. Lengths of event time
// are µs (names end in _us), lengths of wall-clock time are ms (_ms). Values
// are in the data set's unit, Run.Unit. Whole numbers beyond 2^53 are exact in
// the file; a reader in JavaScript must take care.
package report
