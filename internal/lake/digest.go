package lake

import (
	"fmt"
	"strconv"
)

// Hash is 64 bits, written as 16 hexadecimal digits: JSON numbers of other
// languages lose the low bits.
type Hash uint64

// MarshalText writes 16 digits.
func (h Hash) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(h)), nil }

// UnmarshalText reads 16 digits.
func (h *Hash) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 16, 64)
	if err != nil || len(b) != 16 {
		return fmt.Errorf("%q is not a hash of 16 hexadecimal digits", b)
	}
	*h = Hash(n)
	return nil
}

// Digest is the multiset of event ids, whatever their order: two ranges with
// different ids have the same Digest only by a chance of about 2^-64. Events
// without an identity are not in it.
type Digest struct {
	IDs int64 `json:"ids"`
	Sum Hash  `json:"sum"` // of the ids' hashes, modulo 2^64
	Xor Hash  `json:"xor"`
}

// HashProducer hashes the first half of an id (FNV-1a); once per dictionary
// entry is enough.
func HashProducer(producer []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range producer {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// Add counts the id of a producer, given by its hash, and a seq.
func (d *Digest) Add(producer, seq uint64) {
	h := producer ^ seq*0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9 // SplitMix64: neighbouring seqs must not cancel out
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	d.IDs++
	d.Sum += Hash(h)
	d.Xor ^= Hash(h)
}

// Merge counts e's ids, too.
func (d *Digest) Merge(e Digest) {
	d.IDs += e.IDs
	d.Sum += e.Sum
	d.Xor ^= e.Xor
}
