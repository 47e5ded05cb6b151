package engine

import (
	"encoding/binary"
	"errors"
)

var errForm = errors.New("it does not have the form of a record of this version")

// reader takes values off the front of bytes; after a fault it gives zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	return uint64(r.number(n, int64(v)))
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	return r.number(n, v)
}

func (r *reader) number(n int, v int64) int64 {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) below(limit uint64) uint64 {
	v := r.uvarint()
	if v >= limit {
		r.bad = true
		return 0
	}
	return v
}

// take returns the next n bytes; in a fault n zeros, for n up to 8.
func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return make([]byte, min(n, 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// bytes returns bytes that are preceded by their number, which may be 0.
func (r *reader) bytes() []byte {
	n := r.below(uint64(len(r.rest)))
	if r.bad {
		return nil
	}
	return r.take(int(n))
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) end() error {
	if r.bad || len(r.rest) > 0 {
		return errForm
	}
	return nil
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
