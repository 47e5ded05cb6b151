package parquet

import (
	"fmt"
	"io"
)

// BatchRows is the most rows that a Cursor goes on at a time: few enough for
// the cache, many enough to forget the cost of a call.
const BatchRows = 1 << 13

// Cursor reads some columns of a file side by side, batch by batch. A column is
// decoded only for the batches in which it is asked for. What it returns is
// valid until Next. Not for concurrent use.
type Cursor struct {
	file    *File
	columns []cursorColumn
	group   int // under way; -1 before the first
	last    int // the group to end before
	left    int64
	rows    int
}

type cursorColumn struct {
	Column
	index  int
	reader ColumnReader
	fresh  bool  // the batch is decoded
	behind int64 // rows of the group that were passed without being asked for
	opened bool  // for this group
	ints   []int64
	valid  []bool
	codes  []int32
}

// Cursor begins before the first of the row groups [first, end). Each column
// must be there with its kind; one that may hold nulls in the file must be
// Optional here, too.
func (f *File) Cursor(first, end int, columns ...Column) (*Cursor, error) {
	c := &Cursor{file: f, columns: make([]cursorColumn, len(columns)), group: first - 1, last: end}
	for i, want := range columns {
		n := f.schema.Index(want.Name)
		if n < 0 {
			return nil, fmt.Errorf("cannot read column %q: the file has %v", want.Name, f.schema)
		}
		if got := f.schema[n]; got.Kind != want.Kind || got.Optional && !want.Optional {
			return nil, fmt.Errorf("cannot read column %q: it is %v in the file, not %v", want.Name, got, want)
		}
		c.columns[i] = cursorColumn{Column: f.schema[n], index: n}
	}
	return c, nil
}

// Next goes on to the next batch and returns its number of rows, at least one,
// or io.EOF.
func (c *Cursor) Next() (rows int, err error) {
	for i := range c.columns {
		if k := &c.columns[i]; !k.fresh {
			k.behind += int64(c.rows)
		} else {
			k.fresh = false
		}
	}
	c.left -= int64(c.rows)
	c.rows = 0
	for c.left == 0 {
		if c.group++; c.group >= c.last {
			return 0, io.EOF
		}
		c.left = c.file.GroupRows(c.group)
		for i := range c.columns {
			c.columns[i].opened, c.columns[i].behind = false, 0
		}
	}
	c.rows = int(min(c.left, BatchRows))
	return c.rows, nil
}

// load decodes column i for the batch.
func (c *Cursor) load(i int) error {
	k := &c.columns[i]
	if k.fresh {
		return nil
	}
	if !k.opened {
		if err := k.reader.Open(c.file, c.group, k.index); err != nil {
			return err
		}
		k.opened = true
	}
	k.reader.Skip(k.behind)
	k.behind = 0
	var n int
	var err error
	if k.Kind.integer() {
		k.ints = grow(k.ints, c.rows)
		if k.Optional {
			k.valid = grow(k.valid, c.rows)
		}
		n, err = k.reader.Int64(k.ints, k.valid)
	} else {
		k.codes = grow(k.codes, c.rows)
		n, err = k.reader.Codes(k.codes)
	}
	if err == nil && n < c.rows {
		err = fmt.Errorf("cannot read column %q: %d rows are missing", k.Name, c.rows-n)
	}
	k.fresh = err == nil
	return err
}

// Int64 is the batch's values of column i, in the order they were named.
func (c *Cursor) Int64(i int) ([]int64, error) {
	err := c.load(i)
	return c.columns[i].ints, err
}

// Valid says which values of an optional integer column are not null; empty
// when the column is required in the file. It follows Int64.
func (c *Cursor) Valid(i int) []bool { return c.columns[i].valid }

// Codes is the batch's codes of text column i into Dict, -1 for a null.
func (c *Cursor) Codes(i int) ([]int32, error) {
	err := c.load(i)
	return c.columns[i].codes, err
}

// Dict is the dictionary behind Codes. It is another one in every row group and
// may grow from batch to batch.
func (c *Cursor) Dict(i int) *Dictionary { return c.columns[i].reader.Dict() }

// Group is the row group of the batch.
func (c *Cursor) Group() int { return c.group }
