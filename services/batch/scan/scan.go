// Package scan reads the event files that manifests name, by columns and never
// by rows of structs: in splits for who judges each row alone, and in offset
// order for who must see a partition as it came.
//
// What it may be trusted for: a file that is not the one its manifest describes
// (another size, checksum, schema, partition, offset range or number of rows)
// is an error before any of its rows is seen. Rows from the cut on are never
// seen.
package scan

import (
	"fmt"
	"io"

	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
)

// The columns of a Cursor that Open returns.
const (
	Offset = iota
	Time
	Key
	Value
	Producer
	Seq
	Subject
)

var columns = []parquet.Column{
	Offset:   {Name: lake.ColumnOffset, Kind: parquet.Int64},
	Time:     {Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	Key:      {Name: lake.ColumnKey, Kind: parquet.String},
	Value:    {Name: lake.ColumnValue, Kind: parquet.Int64},
	Producer: {Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	Seq:      {Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true},
	Subject:  {Name: lake.ColumnSubject, Kind: parquet.String},
}

// Piece is some row groups of one file.
type Piece struct {
	Manifest   *lake.Manifest
	File       *lake.File
	First, End int // row groups; End 0 is all
}

// Open opens a piece for reading.
func Open(dir *lake.Dir, p Piece) (*parquet.Cursor, error) {
	f, err := table(dir, p.Manifest, p.File)
	if err != nil {
		return nil, err
	}
	if p.End == 0 {
		p.End = f.Groups()
	}
	c, err := f.Cursor(p.First, p.End, columns...)
	if err != nil {
		return nil, foreign(p.File, err)
	}
	return c, nil
}

func foreign(f *lake.File, err error) error {
	return fmt.Errorf("cannot read lake file %s: it is not the file that its manifest names: %w", f.Path, err)
}

// table opens a file's footer and holds its statistics against the manifest.
func table(dir *lake.Dir, m *lake.Manifest, f *lake.File) (*parquet.File, error) {
	t, err := parquet.Open(readerAt{dir, f}, f.Size)
	if err != nil {
		return nil, foreign(f, err)
	}
	if t.Rows() != f.Rows {
		return nil, foreign(f, fmt.Errorf("%d rows instead of %d", t.Rows(), f.Rows))
	}
	for _, c := range []struct {
		name        string
		least, most int64
	}{
		{lake.ColumnPartition, int64(m.Partition), int64(m.Partition)},
		{lake.ColumnOffset, max(f.MinOffset, m.Start), min(f.MaxOffset, m.End-1)},
		{lake.ColumnEventTime, f.MinEventTime, f.MaxEventTime},
	} {
		i := t.Schema().Index(c.name)
		if i < 0 {
			return nil, foreign(f, fmt.Errorf("there is no column %q", c.name))
		}
		for g := range t.Groups() {
			if least, most, ok := t.Bounds(g, i); !ok || least < c.least || most > c.most {
				return nil, foreign(f, fmt.Errorf("column %q holds %d to %d in row group %d, expected %d to %d", c.name, least, most, g, c.least, c.most))
			}
		}
	}
	return t, nil
}

// readerAt opens the file for each read. A column chunk is one read, and a
// manifest of events with wild clocks may name more files than may be open.
type readerAt struct {
	dir  *lake.Dir
	file *lake.File
}

func (r readerAt) ReadAt(b []byte, offset int64) (n int, err error) {
	f, err := r.dir.OpenFile(r.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(b, offset)
}

var _ io.ReaderAt = readerAt{}

// SplitRows is how many rows a split aims at.
const SplitRows = 1 << 20

// Splits cuts what the manifests of one partition hold below the cut into
// splits of about SplitRows rows: many small files make one, a large one gives
// its row groups apart.
func Splits(dir *lake.Dir, manifests []*lake.Manifest, cut int64) ([][]Piece, error) {
	var splits [][]Piece
	var split []Piece
	rows := int64(0)
	add := func(p Piece, n int64) {
		split = append(split, p)
		if rows += n; rows >= SplitRows {
			splits, split, rows = append(splits, split), nil, 0
		}
	}
	for _, m := range manifests {
		for i := range m.Files {
			f := &m.Files[i]
			if f.MinOffset >= cut {
				continue
			}
			if f.Rows <= SplitRows {
				add(Piece{Manifest: m, File: f}, f.Rows)
				continue
			}
			t, err := table(dir, m, f)
			if err != nil {
				return nil, err
			}
			for g := range t.Groups() {
				add(Piece{m, f, g, g + 1}, t.GroupRows(g))
			}
		}
	}
	if len(split) > 0 {
		splits = append(splits, split)
	}
	return splits, nil
}
