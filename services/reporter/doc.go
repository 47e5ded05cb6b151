// Package reporter gives the verdict on a run: it collects what the stream
// committed, reads the ledger, the lake and the batch's answer, compares them
// cell by cell, and writes the report.
//
// New, then Run, is the whole service. A program that shows the run while it
// goes on calls Start first and Live now and then; Run then ends with what has
// been collected. The exit code of Run's error is the verdict's: none when
// everything is explained, 1 when something is not, 2 when nothing could be
// compared.
package reporter
