package sketch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// A bucket's number is that of its magnitude, with the sign of its values, so
// numbers ascend as values do. Magnitudes below 128 have a bucket each; above,
// each octave has 64 of them.
const (
	exactBits = 7  // magnitudes of so many bits are exact
	perOctave = 64 // buckets

	// minBucket is the number of math.MinInt64, maxBucket that of math.MaxInt64.
	minBucket = -58 * perOctave
	maxBucket = 58*perOctave - 1

	// countBits are the low bits of a word; bucket - minBucket is above them.
	countBits = 51
	maxCount  = 1<<countBits - 1
)

// Histogram holds any number of int64 values, and gives their quantiles with a
// relative error of at most 1/128, exactly below a magnitude of 128. The zero
// value is empty. It takes 24 bytes, and 8 for each bucket in use, of at most
// 7,424.
//
// A bucket counts to 2^51-1 and stays there (after 71 years of a million values
// a second), which is a merge in any order too.
type Histogram struct {
	words []uint64 // ascending; no count is 0
}

// Add takes one value in.
func (h *Histogram) Add(v int64) {
	word := uint64(bucket(v)-minBucket) << countBits
	i := search(h.words, word)
	if i == len(h.words) || h.words[i]>>countBits != word>>countBits {
		h.words = slices.Insert(h.words, i, word|1)
	} else if h.words[i]&maxCount != maxCount {
		h.words[i]++
	}
}

// Merge takes all values of o in.
func (h *Histogram) Merge(o *Histogram) {
	h.words = merge(h.words, o.words, maxCount, func(a, b uint64) uint64 {
		return a + min(b&maxCount, maxCount-a&maxCount)
	})
}

// Reset empties h and keeps its memory.
func (h *Histogram) Reset() { h.words = h.words[:0] }

// Memory returns how many bytes h has beside itself, in use or kept.
func (h *Histogram) Memory() int { return 8 * cap(h.words) }

// Count returns how many values h holds. It cannot overflow: fewer than 2^13
// buckets count to 2^51.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, w := range h.words {
		n += w & maxCount
	}
	return n
}

// Quantile returns the value of rank ⌈percent/100·n⌉ among the n values, percent
// from 1 to 100, as its bucket's representative; 0 when h is empty.
func (h *Histogram) Quantile(percent int) int64 {
	if percent < 1 || percent > 100 {
		panic(fmt.Sprintf("BUG: there is no quantile of %d percent", percent))
	}
	high, low := bits.Mul64(h.Count(), uint64(percent))
	low, carry := bits.Add64(low, 99, 0)
	rank, _ := bits.Div64(high+carry, low, 100)
	for _, w := range h.words {
		if n := w & maxCount; n < rank {
			rank -= n
			continue
		}
		return representative(int(w>>countBits) + minBucket)
	}
	return 0
}

// Append appends the canonical bytes of h: for each bucket in use the distance
// of its number from the one before (for the first: the number itself, zigzag)
// and its count, as varints in their shortest form. An empty h has no bytes.
func (h *Histogram) Append(dst []byte) []byte {
	last := 0
	for i, w := range h.words {
		number := int(w>>countBits) + minBucket
		if i == 0 {
			dst = binary.AppendVarint(dst, int64(number))
		} else {
			dst = binary.AppendUvarint(dst, uint64(number-last))
		}
		dst = binary.AppendUvarint(dst, w&maxCount)
		last = number
	}
	return dst
}

// Decode sets h to what Append wrote. Any other bytes give an error and leave h
// empty. It keeps nothing of b.
func (h *Histogram) Decode(b []byte) error {
	h.Reset()
	number := 0
	for first := true; len(b) > 0; first = false {
		distance, rest, err := uvarint(b)
		if err != nil {
			return h.refuse(err)
		}
		count, rest, err := uvarint(rest)
		if err != nil {
			return h.refuse(err)
		}
		if count == 0 || count > maxCount {
			return h.refuse(fmt.Errorf("a bucket counts %d, not from 1 to 2^%d-1", count, countBits))
		}
		if distance == 0 && !first {
			return h.refuse(errors.New("a bucket is given twice"))
		}
		step := int(min(distance, maxBucket-minBucket+1)) // too far, but in an int
		if first {                                        // zigzag
			step = step>>1 ^ -(step & 1)
		}
		number += step
		if number < minBucket || number > maxBucket {
			return h.refuse(fmt.Errorf("a bucket's number is not from %d to %d", minBucket, maxBucket))
		}
		h.words = append(h.words, uint64(number-minBucket)<<countBits|count)
		b = rest
	}
	return nil
}

func (h *Histogram) refuse(cause error) error {
	h.Reset()
	return fmt.Errorf("cannot decode histogram: %w", cause)
}

// bucket returns the number of v's bucket.
func bucket(v int64) int {
	m := uint64(v)
	if v < 0 {
		m = -m
	}
	e := max(bits.Len64(m)-exactBits, 0)
	n := e*perOctave + int(m>>e)
	if v < 0 {
		return -n
	}
	return n
}

// representative returns the value that stands for all of a bucket: the middle
// one, of two the nearer to zero. Of math.MinInt64's bucket that is itself,
// since no other value of it is an int64.
func representative(number int) int64 {
	n := max(number, -number)
	e := max(n/perOctave-1, 0)
	m := uint64(n-e*perOctave) << e
	if number != minBucket {
		m += (1<<e - 1) / 2
	}
	if number < 0 {
		return -int64(m)
	}
	return int64(m)
}
