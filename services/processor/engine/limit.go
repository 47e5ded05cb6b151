package engine

import "fmt"

// LimitError says that a record would make the state hold more than is allowed.
type LimitError struct {
	What   string // "keys" or "producers"
	Limit  int
	Offset int64 // of the record
}

func (e *LimitError) Error() string {
	what := "different keys in open windows"
	if e.What == "producers" {
		what = "different producers"
	}
	return fmt.Sprintf("cannot take in the record at offset %d: there would be more than %d %s", e.Offset, e.Limit, what)
}

// SetLimit allows so many different open keys, and so many producers, in this
// partition; 0 is no limit. A restored state may be above it, but not grow.
func (e *Engine) SetLimit(keys int) { e.limit = keys }

// SetSilent leaves out what belongs to no view: duplicate and stale exclusions,
// and dead letters. Another engine tells of those.
func (e *Engine) SetSilent(on bool) { e.silent = on }

// SetFloor counts the transactions from above that number on, if the state has
// not come so far: the rows that follow are then later than those of whoever
// counted up to there.
func (e *Engine) SetFloor(transaction uint64) { e.transaction = max(e.transaction, transaction) }

// exceeded returns an error if the record at cause made the numbers grow, from
// what is given here, to above the limit.
func (e *Engine) exceeded(keys, producers int) error {
	var what string
	switch {
	case e.keys.open > max(keys, e.limit):
		what = "keys"
	case e.dedup.names.len() > max(producers, e.limit):
		what = "producers"
	default:
		return nil
	}
	e.failed = true
	return &LimitError{What: what, Limit: e.limit, Offset: e.cause.offset}
}
