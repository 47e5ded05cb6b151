package sketch

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
)

const (
	precision = 12 // bits of a hash that choose the register
	registers = 1 << precision
	maxRank   = 64 - precision + 1

	rankBits = 6 // low bits of a sparse word; the register's number is above them
	rankMask = 1<<rankBits - 1

	// denseWords words hold all registers; a sparse list is shorter.
	denseWords = registers / 4
)

// Distinct counts different subjects by HyperLogLog with 4,096 registers: a
// register keeps the largest rank, the place of the first 1 bit, among the
// hashes that chose it. The zero value is empty. It takes 24 bytes, and 4 for
// each register in use, or 4,096 for all of them: from 1,024 registers in use on,
// or, after a merge, from 512.
type Distinct struct {
	// words are a sparse list, one word for each register that is not 0, or, when
	// there are denseWords of them, all registers, one byte each, four to a word.
	words []uint32
}

// Hash is the fixed 64-bit hash of a subject: XXH64 with seed 0.
func Hash(subject []byte) uint64 { return xxhash.Sum64(subject) }

// Add takes in the subject with this Hash.
func (d *Distinct) Add(hash uint64) {
	d.raise(uint32(hash>>(64-precision)), uint32(bits.LeadingZeros64(hash<<precision|1<<(precision-1)))+1)
}

// raise lifts a register to at least this rank.
func (d *Distinct) raise(register, rank uint32) {
	if d.dense() {
		shift := register % 4 * 8
		if w := &d.words[register/4]; *w>>shift&0xff < rank {
			*w = *w&^(0xff<<shift) | rank<<shift
		}
		return
	}
	word := register<<rankBits | rank
	i := search(d.words, register<<rankBits)
	switch {
	case i < len(d.words) && d.words[i]>>rankBits == register:
		d.words[i] = max(d.words[i], word)
	case len(d.words) < denseWords-1:
		d.words = slices.Insert(d.words, i, word)
	default:
		d.densify()
		d.raise(register, rank)
	}
}

func (d *Distinct) dense() bool { return len(d.words) == denseWords }

func (d *Distinct) densify() {
	var list [denseWords]uint32
	sparse := list[:copy(list[:], d.words)]
	d.words = slices.Grow(d.words[:0], denseWords)[:denseWords]
	clear(d.words)
	for _, w := range sparse {
		d.raise(w>>rankBits, w&rankMask)
	}
}

// Merge takes in all subjects of o. It goes by the lengths of both lists, not by
// that of their union, which would cost a pass of its own.
func (d *Distinct) Merge(o *Distinct) {
	if len(d.words)+len(o.words) < denseWords {
		d.words = merge(d.words, o.words, rankMask, func(a, b uint32) uint32 { return max(a, b) })
		return
	}
	if !d.dense() {
		d.densify()
	}
	if !o.dense() {
		for _, w := range o.words {
			d.raise(w>>rankBits, w&rankMask)
		}
		return
	}
	for i, w := range o.words {
		d.words[i] = maxBytes(d.words[i], w)
	}
}

// maxBytes returns the larger of each two bytes, all below 128.
func maxBytes(a, b uint32) uint32 {
	const top = 0x80808080
	keep := ((a | top) - b) & top >> 7 * 0xff // all ones where a's byte is not smaller
	return a&keep | b&^keep
}

// Reset empties d and keeps its memory.
func (d *Distinct) Reset() { d.words = d.words[:0] }

// Memory returns how many bytes d has beside itself, in use or kept.
func (d *Distinct) Memory() int { return 4 * cap(d.words) }

// Append appends the canonical bytes of d: for each register that is not 0, in
// their order, one varint in its shortest form, the number of zero registers
// since the one before times 64, plus the rank. That is at most 4,096 bytes,
// and says nothing of how d holds them. An empty d has no bytes.
func (d *Distinct) Append(dst []byte) []byte {
	next := uint32(0)
	for register, rank := range d.all() {
		dst = binary.AppendUvarint(dst, uint64((register-next)<<rankBits|rank))
		next = register + 1
	}
	return dst
}

// Decode sets d to what Append wrote. Any other bytes give an error and leave d
// empty. It keeps nothing of b.
func (d *Distinct) Decode(b []byte) error {
	d.Reset()
	for next := uint32(0); len(b) > 0; {
		v, rest, err := uvarint(b)
		if err != nil {
			return d.refuse(err)
		}
		if v>>rankBits >= uint64(registers-next) {
			return d.refuse(fmt.Errorf("a register's number is above %d", registers-1))
		}
		register, rank := next+uint32(v>>rankBits), uint32(v%(1<<rankBits))
		if rank == 0 || rank > maxRank {
			return d.refuse(fmt.Errorf("register %d has rank %d, not from 1 to %d", register, rank, maxRank))
		}
		if len(d.words) < denseWords-1 { // sparse; registers ascend
			d.words = append(d.words, register<<rankBits|rank)
		} else {
			d.raise(register, rank)
		}
		next, b = register+1, rest
	}
	return nil
}

func (d *Distinct) refuse(cause error) error {
	d.Reset()
	return fmt.Errorf("cannot decode distinct: %w", cause)
}

// all yields the registers that are not 0 in ascending order.
func (d *Distinct) all() func(yield func(register, rank uint32) bool) {
	return func(yield func(register, rank uint32) bool) {
		dense := d.dense()
		for i, w := range d.words {
			if !dense {
				if !yield(w>>rankBits, w&rankMask) {
					return
				}
				continue
			}
			for register := uint32(i) * 4; w != 0; register, w = register+1, w>>8 {
				if w&0xff != 0 && !yield(register, w&0xff) {
					return
				}
			}
		}
	}
}

// Estimate returns about how many different subjects d has seen: the improved
// raw estimator of Otmar Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches" (arXiv:1702.01284, algorithm 6), rounded. It needs no
// table of corrections and no switch between ranges. Additions, products,
// quotients and roots alone, none of them fused, make it the same on every machine.
func (d *Distinct) Estimate() uint64 {
	var count [maxRank + 1]int // of the registers of each rank above 0
	used := 0
	for _, rank := range d.all() {
		count[rank]++
		used++
	}
	z := float64(registers * tau(1-float64(count[maxRank])/registers))
	for k := maxRank - 1; k > 0; k-- {
		z = 0.5 * float64(z+float64(count[k]))
	}
	z += float64(registers * sigma(1-float64(used)/registers))
	const alpha = 1 / (2 * math.Ln2)
	estimate := math.Round(alpha * registers * registers / z)
	if estimate >= 1<<64 { // all registers are full
		return math.MaxUint64
	}
	return uint64(estimate)
}

// sigma is x + Σ x^(2^k)·2^(k-1) over k ≥ 1, for x from 0 to 1.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	z := x
	for y, last := 1.0, -1.0; z != last; y += y {
		x *= x
		last, z = z, z+float64(x*y)
	}
	return z
}

// tau is (1 - x - Σ (1 - x^(2^-k))²·2^-k over k ≥ 1) / 3, for x from 0 to 1.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	z := 1 - x
	for y, last := 0.5, -1.0; z != last; y *= 0.5 {
		x = math.Sqrt(x)
		last, z = z, z-float64((1-x)*(1-x)*y)
	}
	return z / 3
}
