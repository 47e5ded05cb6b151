// Package query answers one question of Parquet files as they are: per key and
// window of time count, sum, min and max of a value. It is the GROUP BY that other
// engines answer, so it can be held against them, and against a batch run: it knows
// no lake, no ids and no lateness.
//
// A row group is one task. Its pages are decoded side by side (columns.go) and
// folded straight from dictionary codes into flat cells, one block of cells per
// window (dense.go), or, where keys are too many for blocks, into a hash table
// (sparse.go). What a task folded becomes a run, sorted by window (run.go); runs go
// to disk as Arrow IPC when memory ends (spill.go), and are merged window by window
// (merge.go).
//
// What it may be trusted for: sums have 128 bits, windows are floored also before
// 1970, and the rows, ordered by window and key, are the same whatever the workers,
// the memory and the order in which tasks ended. A row whose time, key or value is
// null is in no window: it is counted and left out. A file that is broken, or whose
// columns are of another kind, is an error. Statistics are not believed.
package query
