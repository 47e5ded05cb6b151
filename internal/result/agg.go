package result

import (
	"fmt"
	"math/big"
	"math/bits"

	"parallax.example/internal/sketch"
)

// Plain is the state of the aggregates that need no sketch: 40 bytes, exact,
// commutative, associative. The zero value is the empty row. Values are in the
// unit of the data set.
type Plain struct {
	Count    uint64
	SumHigh  int64 // the sum is SumHigh·2^64 + SumLow, two's complement
	SumLow   uint64
	Min, Max int64 // meaningless while Count is 0
}

// Add folds one value in.
func (a *Plain) Add(v int64) {
	if a.Count == 0 {
		a.Min, a.Max = v, v
	} else {
		a.Min, a.Max = min(a.Min, v), max(a.Max, v)
	}
	a.Count++
	a.add(v>>63, uint64(v))
}

// Merge folds b in, as if each of b's values had been added.
func (a *Plain) Merge(b Plain) {
	if b.Count == 0 {
		return
	}
	if a.Count == 0 {
		a.Min, a.Max = b.Min, b.Max
	} else {
		a.Min, a.Max = min(a.Min, b.Min), max(a.Max, b.Max)
	}
	a.Count += b.Count
	a.add(b.SumHigh, b.SumLow)
}

func (a *Plain) add(high int64, low uint64) {
	var carry uint64
	a.SumLow, carry = bits.Add64(a.SumLow, low, 0)
	a.SumHigh += high + int64(carry)
}

// Sum returns the sum and whether it fits 64 bits; when not, use BigSum.
func (a *Plain) Sum() (sum int64, fits bool) {
	return int64(a.SumLow), a.SumHigh == int64(a.SumLow)>>63
}

// BigSum returns the whole sum.
func (a *Plain) BigSum() *big.Int {
	s := new(big.Int).Lsh(big.NewInt(a.SumHigh), 64)
	return s.Add(s, new(big.Int).SetUint64(a.SumLow))
}

// Mean returns sum/count, correctly rounded, for reading only; 0 for an empty row.
func (a *Plain) Mean() float64 {
	if a.Count == 0 {
		return 0
	}
	mean, _ := new(big.Rat).SetFrac(a.BigSum(), new(big.Int).SetUint64(a.Count)).Float64()
	return mean
}

// Agg is the state of a row. Two rows of one cell are the same when their Aggs
// are ==, which is when their canonical bytes are equal (AppendRow). An Agg does
// not change in place: Fold builds it.
type Agg struct {
	Plain
	// The canonical bytes of the sketches that the view asks for, "" otherwise.
	Quantiles string // sketch.Histogram of the values
	Distinct  string // sketch.Distinct of the subjects
}

// Quantile returns the value at rank ⌈percent/100 · count⌉ within 1 %; 0 without
// a histogram.
func (a *Agg) Quantile(percent int) int64 {
	var h sketch.Histogram
	mustDecode(h.Decode([]byte(a.Quantiles)))
	return h.Quantile(percent)
}

// DistinctSubjects returns about how many different subjects there are; 0 without
// a sketch of them.
func (a *Agg) DistinctSubjects() uint64 {
	var d sketch.Distinct
	mustDecode(d.Decode([]byte(a.Distinct)))
	return d.Estimate()
}

func (a *Agg) checkSketches() error {
	var h sketch.Histogram
	var d sketch.Distinct
	if err := h.Decode([]byte(a.Quantiles)); err != nil {
		return err
	}
	if len(a.Quantiles) > 0 && h.Count() != a.Count {
		return fmt.Errorf("the histogram counts %d values of %d", h.Count(), a.Count)
	}
	return d.Decode([]byte(a.Distinct))
}

// mustDecode: whoever makes an Agg from bytes has checked them.
func mustDecode(err error) {
	if err != nil {
		panic(fmt.Sprintf("BUG: an Agg with a broken sketch: %v", err))
	}
}
