// Package render writes a report for its readers: a terminal, a browser, a
// Markdown page, and programs (JSON, CSV, Parquet).
//
// Every rendering shows the report's own figures and words and judges nothing.
// Text that came from outside (keys, ids) is made harmless for the place it is
// put in: no markup, no terminal control, no spreadsheet formula. The same
// report gives the same bytes. Only All touches files.
package render
