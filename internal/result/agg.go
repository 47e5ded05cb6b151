package result

import (
	"math/big"
	"math/bits"
)

// Agg is the state of a row: exact, commutative, associative. The zero value
// is the empty row. Values are in the unit of the data set. Two rows of one cell
// are the same when their Aggs are ==, which is when their canonical bytes are
// equal (AppendRow).
type Agg struct {
	Count    uint64
	SumHigh  int64 // the sum is SumHigh·2^64 + SumLow, two's complement
	SumLow   uint64
	Min, Max int64 // meaningless while Count is 0
}

// Add folds one value in.
func (a *Agg) Add(v int64) {
	if a.Count == 0 {
		a.Min, a.Max = v, v
	} else {
		a.Min, a.Max = min(a.Min, v), max(a.Max, v)
	}
	a.Count++
	a.add(v>>63, uint64(v))
}

// Merge folds b in, as if each of b's values had been added.
func (a *Agg) Merge(b Agg) {
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

func (a *Agg) add(high int64, low uint64) {
	var carry uint64
	a.SumLow, carry = bits.Add64(a.SumLow, low, 0)
	a.SumHigh += high + int64(carry)
}

// Sum returns the sum and whether it fits 64 bits; when not, use BigSum.
func (a *Agg) Sum() (sum int64, fits bool) {
	return int64(a.SumLow), a.SumHigh == int64(a.SumLow)>>63
}

// BigSum returns the whole sum.
func (a *Agg) BigSum() *big.Int {
	s := new(big.Int).Lsh(big.NewInt(a.SumHigh), 64)
	return s.Add(s, new(big.Int).SetUint64(a.SumLow))
}

// Mean returns sum/count, correctly rounded, for reading only; 0 for an empty row.
func (a *Agg) Mean() float64 {
	if a.Count == 0 {
		return 0
	}
	mean, _ := new(big.Rat).SetFrac(a.BigSum(), new(big.Int).SetUint64(a.Count)).Float64()
	return mean
}
