package query

import "math/bits"

// grid finds windows without dividing: a multiplication by the reciprocal is exact
// for times that lie less than windows hops behind the base.
type grid struct {
	hop     int64
	base    int64 // start of window 0
	shift   uint  // the hop's factors of two
	inverse uint64
	windows int
}

// mostWindows is how many windows are held at a time: of an hour, seven years.
const mostWindows = 1 << 16

func newGrid(hop int64) grid {
	shift := uint(bits.TrailingZeros64(uint64(hop)))
	if hop == 1<<shift && shift > 0 {
		shift-- // the reciprocal of one has 65 bits
	}
	odd := uint64(hop) >> shift
	g := grid{hop: hop, shift: shift}
	if odd == 1 {
		return g // windows of one µs: there is no reciprocal
	}
	// With r = (t-base)>>shift and inverse = 2^64/odd + e, e ≤ 1, the product's high
	// half is ⌊r/odd + r·e/2^64⌋, which is exact while r·odd < 2^64.
	g.inverse = ^uint64(0)/odd + 1
	g.windows = int(min(mostWindows, ^uint64(0)/odd/odd, 1<<62/uint64(hop)))
	return g
}

// center moves the grid so that t lies in its middle.
func (g *grid) center(t int64) {
	g.base = (floorDivide(t, g.hop) - int64(g.windows/2)) * g.hop
}

// window is the place of a time, at least windows when it lies outside.
func (g *grid) window(t int64) uint64 {
	hi, _ := bits.Mul64(uint64(t-g.base)>>g.shift, g.inverse)
	return hi
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
