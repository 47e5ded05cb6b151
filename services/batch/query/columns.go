package query

import (
	"errors"
	"fmt"
	"io"
	"os"

	"parallax.example/internal/parquet"
)

// file is an open Parquet file and where its three columns stand.
type file struct {
	name             string
	os               *os.File
	table            *parquet.File
	time, key, value int
}

func (c *Config) open(name string) (*file, error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot query: %w", err)
	}
	f := &file{name: name, os: in}
	if err := f.find(c); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot query %q: %w", name, err), in.Close())
	}
	return f, nil
}

func (f *file) find(c *Config) error {
	info, err := f.os.Stat()
	if err != nil {
		return err
	}
	if f.table, err = parquet.Open(f.os, info.Size()); err != nil {
		return err
	}
	for _, x := range []struct {
		name  string
		place *int
		what  string
		kinds []parquet.Kind
	}{
		{c.Time, &f.time, "timestamps", []parquet.Kind{parquet.Timestamp}},
		{c.Key, &f.key, "texts", []parquet.Kind{parquet.String, parquet.Bytes}},
		{c.Value, &f.value, "whole numbers", []parquet.Kind{parquet.Int64, parquet.Int32}},
	} {
		i := f.table.Schema().Index(x.name)
		if i < 0 {
			return fmt.Errorf("there is no column %q; name it with --time, --key or --value", x.name)
		}
		fits := false
		for _, k := range x.kinds {
			fits = fits || f.table.Schema()[i].Kind == k
		}
		if !fits {
			return fmt.Errorf("column %q must hold %s, its kind is %s", x.name, x.what, f.table.Schema()[i].Kind)
		}
		*x.place = i
	}
	return nil
}

// columns reads the three columns of a row group side by side, as many rows at a
// time as all pages under way have.
type columns struct {
	time, key, value parquet.ColumnReader
	stretch
	nulls int64
	// Rows without nulls, where there are some.
	kept stretch
}

// stretch is some rows. It is valid until the next one.
type stretch struct {
	times  []int64
	codes  []int32
	values []int64
}

func (c *columns) open(f *file, group int) error {
	if err := c.time.Open(f.table, group, f.time); err != nil {
		return err
	}
	if err := c.key.Open(f.table, group, f.key); err != nil {
		return err
	}
	return c.value.Open(f.table, group, f.value)
}

// next returns rows that have no nulls, perhaps none, or io.EOF.
func (c *columns) next() (*stretch, error) {
	n, err := c.time.Ready()
	for _, r := range []*parquet.ColumnReader{&c.key, &c.value} {
		have, err2 := r.Ready()
		if errors.Is(err, io.EOF) != errors.Is(err2, io.EOF) {
			return nil, errors.New("its columns differ in length")
		}
		if err == nil {
			err = err2
		}
		n = min(n, have)
	}
	if err != nil {
		return nil, err
	}
	var valid [3][]byte
	c.times, valid[0] = c.time.TakeInt64(n)
	c.codes, valid[1] = c.key.TakeCodes(n)
	c.values, valid[2] = c.value.TakeInt64(n)
	if len(valid[0])+len(valid[1])+len(valid[2]) == 0 {
		return &c.stretch, nil
	}
	k := &c.kept
	k.times, k.codes, k.values = k.times[:0], k.codes[:0], k.values[:0]
	for i := range n {
		if isNull(valid[0], i) || isNull(valid[1], i) || isNull(valid[2], i) {
			c.nulls++
			continue
		}
		k.times, k.codes, k.values = append(k.times, c.times[i]), append(k.codes, c.codes[i]), append(k.values, c.values[i])
	}
	return k, nil
}

func isNull(valid []byte, i int) bool { return len(valid) > 0 && valid[i] == 0 }
