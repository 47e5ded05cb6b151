package parquet

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// ColumnReader reads one column of one row group after the other into flat
// slices of the caller. The zero value is ready; its buffers are reused from
// Open to Open. Not for concurrent use.
type ColumnReader struct {
	leaf  leaf
	codec codec
	rest  []byte // of the chunk: what lies behind the page under way
	left  int64  // rows behind the page under way

	page page
	dict Dictionary
	next int // the row of the page that is read next
	skip int64

	chunk   []byte // the chunk's bytes, read at once
	header  format.PageHeader
	decoder *thrift.Decoder
	source  thrift.BytesReader
	err     error
}

// Open begins a column of a row group, with one read of its chunk.
func (c *ColumnReader) Open(f *File, group, column int) (err error) {
	defer func() { c.err = err }()
	l := f.leaves[column]
	where := func(err error) error {
		return fmt.Errorf("cannot read column %q of row group %d: %w", l.Name, group, err)
	}
	if l.Kind == Other {
		return where(errors.New("its type is not one that is read here"))
	}
	m := &f.groups[group].Columns[column].MetaData
	if c.codec, err = codecOf(m.Codec); err != nil {
		return where(err)
	}
	c.chunk = grow(c.chunk, int(m.TotalCompressedSize))
	if n, err := f.r.ReadAt(c.chunk, chunkStart(m)); n < len(c.chunk) {
		return where(fmt.Errorf("%d of %d bytes came: %w", n, len(c.chunk), err))
	}
	c.leaf, c.rest, c.left, c.next, c.skip = l, c.chunk, m.NumValues, 0, 0
	c.page.reset()
	c.dict.reset()
	return nil
}

// Int64 fills dst with the next rows of an integer column and returns how many
// they are: fewer than len(dst) at the chunk's end, then 0 and io.EOF. A null is
// 0 in dst and false in valid, which may be nil only for a required column.
func (c *ColumnReader) Int64(dst []int64, valid []bool) (n int, err error) {
	if !c.leaf.Kind.integer() {
		panic(fmt.Sprintf("BUG: column %q of kind %s read as integers", c.leaf.Name, c.leaf.Kind))
	}
	if c.leaf.Optional && valid == nil {
		panic(fmt.Sprintf("BUG: the optional column %q read as if it were required", c.leaf.Name))
	}
	for n < len(dst) {
		rows, err := c.rows(len(dst) - n)
		if rows == 0 {
			return n, end(n, err)
		}
		copy(dst[n:], c.page.ints[c.next:c.next+rows])
		if valid != nil {
			c.page.fillValid(valid[n:n+rows], c.next)
		}
		c.next += rows
		n += rows
	}
	return n, nil
}

// Codes fills dst with the next rows of a String or Bytes column as codes into
// Dict, -1 for a null; the count and io.EOF are those of Int64.
func (c *ColumnReader) Codes(dst []int32) (n int, err error) {
	c.mustBeText()
	for n < len(dst) {
		rows, err := c.rows(len(dst) - n)
		if rows == 0 {
			return n, end(n, err)
		}
		if !c.page.coded {
			c.page.intern(&c.dict)
		}
		copy(dst[n:], c.page.codes[c.next:c.next+rows])
		c.next += rows
		n += rows
	}
	return n, nil
}

// Dict is the dictionary behind Codes. It may grow with each call of Codes, but
// a code keeps its meaning until the next Open.
func (c *ColumnReader) Dict() *Dictionary { return &c.dict }

// Values fills dst with the next rows of a String or Bytes column; nil is a
// null. It stops at a page's end, so n may be less than len(dst) before the
// chunk's end, which is 0 and io.EOF. The slices are valid until the next call.
func (c *ColumnReader) Values(dst [][]byte) (n int, err error) {
	c.mustBeText()
	rows, err := c.rows(len(dst))
	if rows == 0 {
		return 0, end(0, err)
	}
	c.page.values(dst[:rows], c.next, &c.dict)
	c.next += rows
	return rows, nil
}

// Ready decodes the next page if there is none under way, and returns how many of
// its rows are still to come, at least one; 0 and io.EOF at the chunk's end. Of
// several columns the least of their Ready is what all can take.
func (c *ColumnReader) Ready() (rows int, err error) { return c.rows(math.MaxInt) }

// TakeInt64 is the next n rows of an integer column, which Ready said are there, as
// they lie in the page: the caller does not change them and is done with them
// before the next Ready. A null is 0; valid has a 1 per value and a 0 per null, or
// is empty when no row of the page is null.
func (c *ColumnReader) TakeInt64(n int) (values []int64, valid []byte) {
	values, valid = c.page.ints[c.next:c.next+n], c.page.validFrom(c.next, n)
	c.next += n
	return values, valid
}

// TakeCodes is TakeInt64 for the codes of a text column, -1 for a null.
func (c *ColumnReader) TakeCodes(n int) (codes []int32, valid []byte) {
	if !c.page.coded {
		c.page.intern(&c.dict)
	}
	codes, valid = c.page.codes[c.next:c.next+n], c.page.validFrom(c.next, n)
	c.next += n
	return codes, valid
}

// Skip passes over rows without decoding pages that lie wholly among them.
func (c *ColumnReader) Skip(rows int64) { c.skip += rows }

func (c *ColumnReader) mustBeText() {
	if c.leaf.Kind.integer() {
		panic(fmt.Sprintf("BUG: column %q of kind %s read as bytes", c.leaf.Name, c.leaf.Kind))
	}
}

func end(n int, err error) error {
	if errors.Is(err, io.EOF) && n > 0 {
		return nil
	}
	return err
}

// rows makes sure that the page under way has rows to give and says how many, at most most.
func (c *ColumnReader) rows(most int) (int, error) {
	for {
		if c.err != nil {
			return 0, c.err
		}
		have := int64(c.page.rows - c.next)
		if s := min(c.skip, have); s > 0 {
			c.next, c.skip, have = c.next+int(s), c.skip-s, have-s
		}
		if have > 0 || most == 0 {
			return int(min(have, int64(most))), nil
		}
		if c.left == 0 {
			return 0, io.EOF
		}
		if err := c.load(); err != nil {
			c.err = fmt.Errorf("cannot read column %q: %w", c.leaf.Name, err)
		}
	}
}
