// Package engine answers the views for one input partition: it takes the
// partition's records in offset order and gives final rows, exclusions, dead
// letters and the changes of its own state, by the rules of docs/design.md
// section 5. It does no I/O and reads no clock.
//
// It may be trusted for this: final rows, exclusions and dead letters are a
// function of the prefix of the partition alone. Neither the split into batches,
// nor where transactions begin and end, nor a restart from the changelog
// changes a byte of them, except the transaction numbers and ordinals, which
// tell how they came about, and the order in which one record's final rows come.
// Early and on-time rows show the state at the end of a transaction, and
// retracted ones what earlier transactions told, so they do depend on it.
//
// # Transactions
//
// Everything between two calls of Commit or Rollback is one transaction:
//
//	Apply, Apply, …, Flush → the caller writes the output → Commit
//	                       → the write failed             → Rollback
//
// The engine changes its state in place and remembers, at the first touch in a
// transaction, what was there before. Rollback puts exactly that back. What has
// closed is kept until Commit, so it comes back too.
//
// # State
//
// Flat. Keys and producers are interned as dense ids. Of each view, the cells of
// a key form a list in time order, entered where the last event was; so an event
// finds its cell by its key's id and a step or two. A cell is 64 bytes in one
// slice; what only some views need, a session's end or the sketches, lies beside
// it. A tumbling or hopping view has a cell for each pane, one hop long, whatever
// the overlap: a window's row is merged from its panes when it is asked for.
//
// The ids of a key are used again once none of its cells is open. State grows
// with the number of open cells, with the seqs of the last view.Horizon per
// producer (512 bytes for 4096 of them), and with the number of producers ever
// seen (some dozens of bytes each, kept for ever: without its largest seq a
// producer's old events could not be called stale). SetLimit bounds keys and
// producers. Memory that was freed is used again, not returned; of the running sums
// of large windows only as much is kept as is in use.
package engine
