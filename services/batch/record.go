package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/services/batch/scan"
)

// Shuffle records are bytes. Their keys sort as the answer's tables do: cells by
// view, window start, key and partition; judgements by partition, offset, view
// and window start; then events of sessions by key, partition and offset.
const (
	cellRecord      = 'c'
	judgementRecord = 'j'
	sessionRecord   = 's'
)

// ordered is a signed number whose bytes sort like it.
func ordered(v int64) uint64   { return uint64(v) ^ 1<<63 }
func unordered(v uint64) int64 { return int64(v ^ 1<<63) }

// appendEventKey appends the key of events. It ends with two zeros, and a zero
// inside becomes 0, 255, so that no key's end sorts into another.
func appendEventKey(dst, key []byte) []byte {
	for _, c := range key {
		if dst = append(dst, c); c == 0 {
			dst = append(dst, 255)
		}
	}
	return append(dst, 0, 0)
}

// decodeEventKey takes an event key with its two zeros.
func decodeEventKey(b []byte) []byte {
	return bytes.ReplaceAll(b[:len(b)-2], []byte{0, 255}, []byte{0})
}

func appendCellKey(dst []byte, view int, start int64, key []byte, partition int32) []byte {
	dst = append(dst, cellRecord, byte(view))
	dst = binary.BigEndian.AppendUint64(dst, ordered(start))
	dst = appendEventKey(dst, key)
	return binary.BigEndian.AppendUint32(dst, uint32(partition))
}

type cellKey struct {
	view      int
	start     int64
	key       []byte
	partition int32
}

func decodeCellKey(b []byte) (cellKey, error) {
	if len(b) < 1+1+8+2+4 || b[0] != cellRecord {
		return cellKey{}, fmt.Errorf("%q is no cell", b)
	}
	k := cellKey{view: int(b[1]), start: unordered(binary.BigEndian.Uint64(b[2:]))}
	tail := len(b) - 4
	k.partition = int32(binary.BigEndian.Uint32(b[tail:]))
	k.key = decodeEventKey(b[10:tail])
	return k, nil
}

// shard spreads cells by view, window and key, so that the cells of one row
// come into one file, events of sessions by key for the same end, and judgements
// by ranges of offsets.
func shard(key []byte) uint64 {
	n := len(key) - 4 // all but the partition of a cell
	switch key[0] {
	case judgementRecord:
		n = 1 + 4 + 8 - 3 // of the offset the bits from 24 on
	case sessionRecord:
		n = len(key) - 4 - 8 // all but partition and offset
	}
	h := uint64(14695981039346656037)
	for _, c := range key[:n] {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h ^ h>>29
}

// judgement is an exclusion on its way to the output.
type judgement struct {
	partition int32
	offset    int64
	view      int // -1: of the whole event
	start     int64
	causeA    result.Cause
	causeB    result.Cause

	time, value int64
	key         []byte
	producer    []byte // nil without an identity
	seq         uint64
}

func (x *judgement) appendKey(dst []byte) []byte {
	dst = append(dst, judgementRecord)
	dst = binary.BigEndian.AppendUint32(dst, uint32(x.partition))
	dst = binary.BigEndian.AppendUint64(dst, uint64(x.offset))
	dst = append(dst, byte(x.view+1))
	return binary.BigEndian.AppendUint64(dst, ordered(x.start))
}

func (x *judgement) appendValue(dst []byte) []byte {
	hasID := byte(0)
	if x.producer != nil {
		hasID = 1
	}
	dst = append(dst, byte(x.causeA), byte(x.causeB), hasID)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(x.time))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(x.value))
	dst = binary.LittleEndian.AppendUint64(dst, x.seq)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(x.key)))
	dst = append(dst, x.key...)
	return append(dst, x.producer...)
}

func decodeJudgement(key, value []byte) (x judgement, err error) {
	if len(key) != 1+4+8+1+8 || key[0] != judgementRecord || len(value) < 3+3*8+2 {
		return x, errors.New("a judgement that is too short")
	}
	x.partition = int32(binary.BigEndian.Uint32(key[1:]))
	x.offset = int64(binary.BigEndian.Uint64(key[5:]))
	x.view = int(key[13]) - 1
	x.start = unordered(binary.BigEndian.Uint64(key[14:]))
	x.causeA, x.causeB = result.Cause(value[0]), result.Cause(value[1])
	x.time = int64(binary.LittleEndian.Uint64(value[3:]))
	x.value = int64(binary.LittleEndian.Uint64(value[11:]))
	x.seq = binary.LittleEndian.Uint64(value[19:])
	n := int(binary.LittleEndian.Uint16(value[27:]))
	if len(value) < 29+n {
		return x, errors.New("a judgement that is too short")
	}
	x.key = value[29 : 29+n]
	if value[2] == 1 {
		x.producer = value[29+n:]
	}
	return x, nil
}

// identityColumns are who sent the events of one batch. They are read only for
// batches in which somebody asks.
type identityColumns struct {
	cursor *parquet.Cursor
	loaded bool
	codes  []int32
	seqs   []int64
}

func (c *identityColumns) begin(cursor *parquet.Cursor) { c.cursor, c.loaded = cursor, false }

// of returns the identity of a row; producer is nil when there is none.
func (c *identityColumns) of(i int) (producer []byte, seq uint64, err error) {
	if !c.loaded {
		if c.codes, err = c.cursor.Codes(scan.Producer); err != nil {
			return nil, 0, err
		}
		if c.seqs, err = c.cursor.Int64(scan.Seq); err != nil {
			return nil, 0, err
		}
		c.loaded = true
	}
	if c.codes[i] < 0 {
		return nil, 0, nil
	}
	return c.cursor.Dict(scan.Producer).Value(c.codes[i]), uint64(c.seqs[i]), nil
}
