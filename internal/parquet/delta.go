package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A DELTA_BINARY_PACKED stream is a header (block size, mini-blocks of a block,
// values, first value), then blocks: the least delta, a bit width per mini-block,
// and the mini-blocks, in which what each delta is above the least is bit-packed.
// It is decoded here, straight into the caller's slice: parquet-go clears and moves
// what it returns, and unpacks widths above 32 bits one bit field at a time.

var errCutOff = errors.New("the deltas are cut off")

// decodeDelta fills dst from a stream that must declare as many values. Sums wrap
// around, as the format says; of a 32-bit column the low half counts.
func decodeDelta(dst []int64, src []byte, scratch []byte) ([]byte, error) {
	var fields [3]uint64 // block size, mini-blocks, values
	for i := range fields {
		v, size := binary.Uvarint(src)
		if size <= 0 {
			return scratch, errCutOff
		}
		fields[i], src = v, src[size:]
	}
	block, minis := fields[0], fields[1]
	if fields[2] != uint64(len(dst)) {
		return scratch, fmt.Errorf("their header declares %d values", fields[2])
	}
	if minis == 0 || minis > 1<<10 || block > 1<<20 || block%minis != 0 || block/minis%32 != 0 || block == 0 {
		return scratch, fmt.Errorf("deltas in blocks of %d in %d parts", block, minis)
	}
	value, size := binary.Varint(src)
	if size <= 0 {
		return scratch, errCutOff
	}
	src = src[size:]
	if len(dst) == 0 {
		return scratch, nil
	}
	dst[0], dst = value, dst[1:]
	per := int(block / minis)
	for len(dst) > 0 {
		least, size := binary.Varint(src)
		if size <= 0 || len(src)-size < int(minis) {
			return scratch, errCutOff
		}
		widths, rest := src[size:size+int(minis)], src[size+int(minis):]
		src = rest
		for _, width := range widths {
			if len(dst) == 0 {
				break
			}
			if width > 64 {
				return scratch, fmt.Errorf("deltas of %d bits", width)
			}
			n := min(per, len(dst))
			need := (n*int(width) + 7) / 8
			if len(src) < need {
				return scratch, errCutOff
			}
			packed := src
			if len(src) < need+8 { // reads go 8 bytes at a time
				scratch = append(append(scratch[:0], src[:need]...), 0, 0, 0, 0, 0, 0, 0, 0)
				packed = scratch
			}
			value = addDeltas(dst[:n], packed, uint(width), least, value)
			dst = dst[n:]
			src = src[min(len(src), per*int(width)/8):]
		}
	}
	return scratch, nil
}

// addDeltas unpacks deltas of a bit width and adds them up from a value on; it
// returns the last sum. 8 bytes lie behind the packed ones.
func addDeltas(dst []int64, packed []byte, width uint, least, value int64) int64 {
	if width == 0 {
		for i := range dst {
			value += least
			dst[i] = value
		}
		return value
	}
	mask := ^uint64(0) >> (64 - width)
	bit := uint(0)
	if width <= 57 {
		for i := range dst {
			delta := binary.LittleEndian.Uint64(packed[bit>>3:]) >> (bit & 7) & mask
			value += least + int64(delta)
			dst[i] = value
			bit += width
		}
		return value
	}
	for i := range dst {
		at, shift := bit>>3, bit&7
		delta := binary.LittleEndian.Uint64(packed[at:]) >> shift
		if shift > 0 && 64-shift < width {
			delta |= uint64(packed[at+8]) << (64 - shift)
		}
		value += least + int64(delta&mask)
		dst[i] = value
		bit += width
	}
	return value
}
