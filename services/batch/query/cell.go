package query

import "parallax.example/internal/result"

// cell is what one task found of a key in a window: 24 bytes, for values that fit
// 32 bits. A task flushes before it has 2^31 rows, so the sum fits.
type cell struct {
	sum      int64
	count    uint32
	key      uint32 // number in the keys
	min, max int32
}

// wideCell is a cell of any values.
type wideCell struct {
	result.Plain
	key uint32
}

func (c *cell) wide() result.Plain {
	return result.Plain{Count: uint64(c.count), SumHigh: c.sum >> 63, SumLow: uint64(c.sum), Min: int64(c.min), Max: int64(c.max)}
}
