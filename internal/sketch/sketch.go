// Package sketch is what a row keeps of its values and subjects where exact
// answers would be too large: a histogram for quantiles (relative error at most
// 1/128) and a HyperLogLog for distinct counts (standard error 1.6 %).
//
// The package is pure and its states are integers. Equal inputs give equal
// bytes, in whatever order they came, however they were split and merged, and
// on every machine; so two states are the same when their bytes are. Decoding is
// total and accepts exactly the bytes that Append writes.
//
// It is not to be trusted for exact answers, nor with subjects that somebody
// chose to collide: the hash is fixed and public.
package sketch

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

var errVarint = errors.New("a varint is cut short, too long, or not in its shortest form")

// uvarint reads the varint at the front of b in its shortest form only.
func uvarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, errVarint
	}
	return v, b[n:], nil
}

// A list of words, each a number above some low bits of payload, ascending and
// with no number twice: the sparse state of both sketches.

// search returns the place of the first word that is not below w. It steps by
// arithmetic: which way a step goes is a coin toss, and a wrongly predicted
// branch costs more than the step.
func search[W uint32 | uint64](list []W, w W) int {
	low := uint(0)
	for n := uint(len(list)); n > 0; {
		half := (n + 1) / 2
		_, below := bits.Sub64(uint64(list[low+half-1]), uint64(w), 0)
		low += half & -uint(below)
		n -= half
	}
	return int(low)
}

// merge puts b's words into a, in one pass from the back and in place; join makes
// one word of two with the same number, and payload is the mask of the low bits.
// How many of those there are would take a pass of its own, so a gets room for
// all of both, and the gap that is left is closed at the end.
func merge[W uint32 | uint64](a, b []W, payload W, join func(W, W) W) []W {
	i, j, k := len(a), len(b), len(a)+len(b) // so many are left, and their room
	a = slices.Grow(a, j)[:k]
	for i > 0 && j > 0 {
		k--
		switch x, y := a[i-1], b[j-1]; {
		case x > y|payload:
			i--
			a[k] = x
		case y > x|payload:
			j--
			a[k] = y
		default:
			i--
			j--
			a[k] = join(x, y)
		}
	}
	k -= j
	copy(a[k:], b[:j])
	return a[:i+copy(a[i:], a[k:])]
}
