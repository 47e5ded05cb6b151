// Package parquet is the project's only door to parquet-go: flat tables,
// written and read by columns, never by rows of structs.
//
// A Writer takes batches of Vectors and gives the same bytes for the same rows,
// however the rows were split into batches. A File is opened over any
// io.ReaderAt; a ColumnReader fills the caller's flat slices from one column of
// one row group, with strings as codes into a dictionary.
//
// Trust: Open and ColumnReader refuse what is not a readable Parquet file with
// an error, whatever the bytes; they never panic, and what they allocate is
// bounded by sizes that were checked against the file's own. They do not prove
// that a well-formed file is the right one: that is what the lake's SHA-256 is
// for. Statistics are believed.
package parquet
