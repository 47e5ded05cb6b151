// Package lake is the contract between those who write the event files and
// those who read them: where files lie, what a manifest says, and how the chain
// of a partition's manifests grows by one.
//
// What it may be trusted for:
//   - A file that no manifest names does not exist. Readers begin at a Chain.
//   - A Chain is contiguous and without overlap from the first offset of its
//     partition, of one topic id and one partition count; anything else is an
//     error that names the file.
//   - Of two writers that commit the same start, exactly one wins; the other
//     gets ErrTaken. Both may die at any instruction: what is left is either
//     committed and synced, or ignored.
//   - Nothing outside the lake's folder is read or written, whatever a manifest
//     says.
//
// A chain cannot notice that its newest manifest was removed. Whether the bytes
// of a file are still those that were written is for Verify to say.
//
// The package knows neither Kafka nor Parquet.
package lake
