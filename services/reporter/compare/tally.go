package compare

import (
	"parallax.example/internal/result"
	"parallax.example/internal/sketch"
)

// tally is the fold of very many rows: a result.Fold that keeps what it decodes
// into. The zero value is empty.
type tally struct {
	result.Plain
	quantiles, nextQuantiles sketch.Histogram
	distinct, nextDistinct   sketch.Distinct
}

// add takes a row in, or none.
func (t *tally) add(a *result.Agg) {
	if a == nil {
		return
	}
	t.Merge(a.Plain)
	if err := t.nextQuantiles.Decode([]byte(a.Quantiles)); err != nil {
		panic("BUG: an Agg with a broken sketch: " + err.Error())
	}
	t.quantiles.Merge(&t.nextQuantiles)
	if err := t.nextDistinct.Decode([]byte(a.Distinct)); err != nil {
		panic("BUG: an Agg with a broken sketch: " + err.Error())
	}
	t.distinct.Merge(&t.nextDistinct)
}

func (t *tally) merge(o *tally) {
	t.Merge(o.Plain)
	t.quantiles.Merge(&o.quantiles)
	t.distinct.Merge(&o.distinct)
}

func (t *tally) agg() result.Agg {
	return result.Agg{Plain: t.Plain, Quantiles: string(t.quantiles.Append(nil)), Distinct: string(t.distinct.Append(nil))}
}
