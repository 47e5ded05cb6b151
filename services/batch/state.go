package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"parallax.example/internal/result"
	"parallax.example/internal/sketch"
)

// state is a row's aggregates under way. A sketch that the view does not ask for
// stays empty, and an empty sketch has no bytes.
type state struct {
	result.Plain
	quantiles sketch.Histogram
	distinct  sketch.Distinct
}

func (s *state) merge(o *state) {
	s.Merge(o.Plain)
	s.quantiles.Merge(&o.quantiles)
	s.distinct.Merge(&o.distinct)
}

func (s *state) reset() {
	s.Plain = result.Plain{}
	s.quantiles.Reset()
	s.distinct.Reset()
}

// agg is the state as a row's.
func (s *state) agg() result.Agg {
	return result.Agg{Plain: s.Plain, Quantiles: string(s.quantiles.Append(nil)), Distinct: string(s.distinct.Append(nil))}
}

const plainSize = 5 * 8

// append appends five numbers, and each sketch behind the length of its bytes.
func (s *state) append(dst []byte) []byte {
	for _, v := range [...]uint64{s.Count, uint64(s.SumHigh), s.SumLow, uint64(s.Min), uint64(s.Max)} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	at := len(dst)
	dst = putSize(s.quantiles.Append(append(dst, 0, 0, 0, 0)), at)
	at = len(dst)
	return putSize(s.distinct.Append(append(dst, 0, 0, 0, 0)), at)
}

// putSize writes how many bytes follow the four at.
func putSize(b []byte, at int) []byte {
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

var errShort = errors.New("a state that is cut short")

// decode sets s to the state at the front of b and returns what lies behind it.
func (s *state) decode(b []byte) (rest []byte, err error) {
	if len(b) < plainSize {
		return nil, errShort
	}
	v := func(n int) uint64 { return binary.LittleEndian.Uint64(b[n*8:]) }
	s.Plain = result.Plain{Count: v(0), SumHigh: int64(v(1)), SumLow: v(2), Min: int64(v(3)), Max: int64(v(4))}
	b = b[plainSize:]
	own, b, err := sized(b)
	if err != nil {
		return nil, err
	}
	if err := s.quantiles.Decode(own); err != nil {
		return nil, err
	}
	if own, b, err = sized(b); err != nil {
		return nil, err
	}
	return b, s.distinct.Decode(own)
}

// sized takes bytes from behind their length.
func sized(b []byte) (own, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errShort
	}
	n := binary.LittleEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) {
		return nil, nil, errShort
	}
	return b[:n], b[n:], nil
}

// readings are what both readings say of a cell, in two parts without an event in
// common, so that no sketch is kept twice: what A and B count, and what B alone does.
type readings struct{ both, onlyB state }

// The first byte of a cell's record says which parts follow.
const (
	hasBoth = 1 << iota
	hasOnlyB
)

func (r *readings) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	if r.both.Count > 0 {
		dst[at] |= hasBoth
		dst = r.both.append(dst)
	}
	if r.onlyB.Count > 0 {
		dst[at] |= hasOnlyB
		dst = r.onlyB.append(dst)
	}
	return dst
}

func (r *readings) decode(b []byte) (err error) {
	r.both.reset()
	r.onlyB.reset()
	if len(b) == 0 || b[0] == 0 || b[0] > hasBoth|hasOnlyB {
		return fmt.Errorf("%.8q begins no cell", b)
	}
	parts, b := b[0], b[1:]
	if parts&hasBoth != 0 {
		if b, err = r.both.decode(b); err != nil {
			return err
		}
	}
	if parts&hasOnlyB != 0 {
		if b, err = r.onlyB.decode(b); err != nil {
			return err
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("%d bytes behind a cell", len(b))
	}
	return nil
}

// merging are two records of one key, kept for the memory of their sketches.
var merging = sync.Pool{New: func() any { return new([2]readings) }}

// merge folds two records of one key. Only cells are met twice.
func merge(into, value []byte) []byte {
	r := merging.Get().(*[2]readings)
	defer merging.Put(r)
	if err := errors.Join(r[0].decode(into), r[1].decode(value)); err != nil {
		panic(fmt.Sprintf("BUG: records of %d and %d bytes under one key: %v", len(into), len(value), err))
	}
	r[0].both.merge(&r[1].both)
	r[0].onlyB.merge(&r[1].onlyB)
	return r[0].append(into[:0])
}
