// Package gather reads what the comparison looks at, besides the stream: the
// generator's ledgers, the lake's events at the batch's cut, and the batch's
// answer.
//
// It may be trusted to read everything that was promised or to refuse: a
// damaged ledger, a gap in a chain of manifests, a file that is not what its
// manifest says, or a batch over another cut is an error, never a shorter list.
package gather
