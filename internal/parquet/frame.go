package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What stands here looks at the frame of an encoding before parquet-go decodes
// it, because the decoders allocate what a frame declares.

// checkDelta refuses a DELTA_BINARY_PACKED stream that does not declare n values.
func checkDelta(src []byte, n int) error {
	var fields [3]uint64 // block size, mini-blocks, values
	for i := range fields {
		v, size := binary.Uvarint(src)
		if size <= 0 {
			return errors.New("its header is cut off")
		}
		fields[i], src = v, src[size:]
	}
	if fields[2] != uint64(n) {
		return fmt.Errorf("its header declares %d values", fields[2])
	}
	return nil
}

// checkRuns walks the runs of RLE-encoded dictionary codes (a byte of bit width
// before them) and returns src up to the end of the run that completes n values.
func checkRuns(src []byte, n int) ([]byte, error) {
	if len(src) == 0 {
		return nil, errors.New("no bytes")
	}
	width := int(src[0])
	if width > 32 {
		return nil, fmt.Errorf("codes of %d bits", width)
	}
	at := 1
	for n > 0 {
		count, packed, size, err := runHeader(src[at:])
		if err != nil {
			return nil, err
		}
		at += size
		body := (width + 7) / 8
		if packed {
			body = count / 8 * width
		}
		if body > len(src)-at {
			return nil, errors.New("a run ends behind its page")
		}
		if n -= count; !packed && n < 0 {
			return nil, fmt.Errorf("a run of %d values, %d too many", count, -n)
		}
		at += body
	}
	if n <= -8 {
		return nil, fmt.Errorf("%d values too many", -n)
	}
	return src[:at], nil
}

// runHeader reads a run's header: the number of its values, whether they are
// bit-packed (then a multiple of 8), and the header's own size.
func runHeader(src []byte) (count int, packed bool, size int, err error) {
	u, size := binary.Uvarint(src)
	if size <= 0 {
		return 0, false, 0, errors.New("the runs end before the values")
	}
	packed = u&1 == 1
	if u >>= 1; u == 0 || u > maxPageRows {
		return 0, false, 0, fmt.Errorf("a run of %d", u)
	}
	if packed {
		u *= 8
	}
	return int(u), packed, size, nil
}

// decodeLevels reads one definition level of 0 or 1 per row and returns how many
// are 1. p.valid is left empty when all are.
func (p *page) decodeLevels(src []byte, rows int) (values int, err error) {
	p.valid = grow(p.valid, rows)
	for at := 0; at < rows; {
		count, packed, size, err := runHeader(src)
		if err != nil {
			return 0, fmt.Errorf("levels: %w", err)
		}
		src = src[size:]
		if !packed {
			if len(src) == 0 || src[0] > 1 || count > rows-at {
				return 0, errors.New("levels: a run that cannot be")
			}
			for i := at; i < at+count; i++ {
				p.valid[i] = src[0]
			}
			values += count * int(src[0])
			at, src = at+count, src[1:]
			continue
		}
		if count/8 > len(src) || count >= rows-at+8 {
			return 0, errors.New("levels: a run that cannot be")
		}
		for i := range min(count, rows-at) {
			bit := src[i/8] >> (i % 8) & 1
			p.valid[at+i] = bit
			values += int(bit)
		}
		at, src = at+count, src[count/8:]
	}
	if values == rows {
		p.valid = p.valid[:0]
	}
	return values, nil
}
