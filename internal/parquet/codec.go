package parquet

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// codec decompresses pages, never into more than a page declares. parquet-go's
// own codecs allocate what the compressed bytes declare.
type codec uint8

const (
	plain codec = iota
	snappied
	gzipped
	zstandard
)

// ratio is more than the codec can shrink anything: a page that declares more
// is refused before it is allocated.
var ratio = [...]int{plain: 1, snappied: 32, gzipped: 1100, zstandard: 1 << 15}

func codecOf(c format.CompressionCodec) (codec, error) {
	switch c {
	case format.Uncompressed:
		return plain, nil
	case format.Snappy:
		return snappied, nil
	case format.Gzip:
		return gzipped, nil
	case format.Zstd:
		return zstandard, nil
	}
	return 0, fmt.Errorf("its compression %s is not read here; write it with zstd or snappy", c)
}

var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return d
})

// decompress returns size bytes, in *buffer unless they were never compressed.
func (c codec) decompress(buffer *[]byte, src []byte, size int) ([]byte, error) {
	if size < 0 || size > len(src)*ratio[c]+64 {
		return nil, fmt.Errorf("%d bytes cannot hold the %d that the page declares", len(src), size)
	}
	if c == plain {
		if len(src) != size {
			return nil, fmt.Errorf("%d bytes where the page declares %d", len(src), size)
		}
		return src, nil
	}
	if size == 0 {
		return nil, nil
	}
	*buffer = grow(*buffer, size)
	dst := (*buffer)[:0:size] // no decoder may go beyond
	var err error
	switch c {
	case snappied:
		var n int
		if n, err = snappy.DecodedLen(src); err == nil && n == size {
			dst, err = snappy.Decode(dst[:size], src)
		} else if err == nil {
			err = fmt.Errorf("snappy declares %d bytes", n)
		}
	case gzipped:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(src)); err == nil {
			_, err = io.ReadFull(z, dst[:size])
			dst = dst[:size]
		}
	case zstandard:
		dst, err = zstdDecoder().DecodeAll(src, dst)
	}
	if err == nil && len(dst) != size {
		err = errors.New("another number of bytes")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot decompress %d bytes to %d: %w", len(src), size, err)
	}
	return (*buffer)[:size], nil
}

// padding lies behind every buffer, so that parquet-go's unpacking, which reads
// beyond the end of what it decodes, needs no copy.
const padding = 32

// grow returns a slice of n values; what they are is not said.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+padding+n/4)
	}
	return s[:n]
}

// growKeep is grow with the values kept.
func growKeep[T any](s []T, n int) []T {
	if cap(s) < n {
		t := make([]T, n, n+padding+n/4)
		copy(t, s)
		return t
	}
	return s[:n]
}
