package result

import (
	"parallax.example/internal/sketch"
	"parallax.example/internal/view"
)

// Fold builds a row from events and from other rows, in any order.
type Fold struct {
	Plain
	quantiles *sketch.Histogram // nil if the view does not ask
	distinct  *sketch.Distinct
}

// NewFold begins an empty row with what the view asks for.
func NewFold(v *view.View) *Fold {
	f := &Fold{}
	if v.AsksQuantiles() {
		f.quantiles = &sketch.Histogram{}
	}
	if v.AsksDistinct() {
		f.distinct = &sketch.Distinct{}
	}
	return f
}

// Event folds one event in.
func (f *Fold) Event(value int64, subject []byte) {
	f.Add(value)
	if f.quantiles != nil {
		f.quantiles.Add(value)
	}
	if f.distinct != nil {
		f.distinct.Add(sketch.Hash(subject))
	}
}

// Row folds another row of the same view in, as if each of its events had been.
func (f *Fold) Row(a *Agg) {
	f.Merge(a.Plain)
	if f.quantiles != nil {
		var h sketch.Histogram
		mustDecode(h.Decode([]byte(a.Quantiles)))
		f.quantiles.Merge(&h)
	}
	if f.distinct != nil {
		var d sketch.Distinct
		mustDecode(d.Decode([]byte(a.Distinct)))
		f.distinct.Merge(&d)
	}
}

// Agg returns the row so far.
func (f *Fold) Agg() Agg {
	a := Agg{Plain: f.Plain}
	if f.quantiles != nil {
		a.Quantiles = string(f.quantiles.Append(nil))
	}
	if f.distinct != nil {
		a.Distinct = string(f.distinct.Append(nil))
	}
	return a
}
