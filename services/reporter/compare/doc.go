// Package compare gives the verdict: truth, stream, A and B side by side in
// every cell closed below the cut, and the cause of each difference.
//
// It may be trusted for this: a difference counts as explained only if folding
// exactly the listed events into one row gives the other byte for byte
// (docs/design.md, section 6). Nothing is tolerated, nothing is estimated, and
// what the causes do not account for becomes a fault that names its cell.
//
// What is compared together is a group: one cell, and in a session view all
// that is connected, since its sides can cut the same time into different
// sessions. A row's window is part of the comparison as its figures are.
//
// The package is pure: Input holds all it looks at. It knows nothing of how
// the stream or the batch come to their answers; watermark and closing are
// taken from the batch's reading A and checked against the stream's rows.
package compare
