package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// maxFooter bounds a footer in bytes; ours need about 200 per column and row group.
const maxFooter = 64 << 20

// File is an open Parquet file: its schema, row groups and statistics. It is
// immutable, so any number of ColumnReaders may read it at once.
type File struct {
	r      io.ReaderAt
	size   int64
	file   *pq.File
	schema Schema
	leaves []leaf
	groups []format.RowGroup
}

// Open reads the footer of a file of this size and checks that everything it
// points at lies within the file. Pages are only read by a ColumnReader.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	defer func() {
		if err != nil {
			f = nil
		}
	}()
	defer recovered("open", &err)
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	file, err := pq.OpenFile(r, size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("cannot open Parquet: %w", err)
	}
	f = &File{r: r, size: size, file: file, groups: file.Metadata().RowGroups}
	for _, c := range file.Root().Columns() {
		l := leafOf(c)
		f.leaves = append(f.leaves, l)
		f.schema = append(f.schema, l.Column)
		if !c.Leaf() {
			return nil, fmt.Errorf("cannot open Parquet: column %q is nested, only flat tables are read", c.Name())
		}
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("cannot open Parquet: %w", err)
	}
	return f, nil
}

// checkFooter looks at the frame before anything is allocated for it.
func checkFooter(r io.ReaderAt, size int64) error {
	if size < 12 {
		return fmt.Errorf("cannot open Parquet: %d bytes are too few for a Parquet file", size)
	}
	var tail [8]byte
	if n, err := r.ReadAt(tail[:], size-8); n < 8 {
		return fmt.Errorf("cannot open Parquet: cannot read the last 8 of %d bytes: %w", size, err)
	}
	if string(tail[4:]) != "PAR1" {
		return fmt.Errorf("cannot open Parquet: the file ends with %q instead of \"PAR1\": torn or no Parquet", tail[4:])
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:])); n > size-12 || n > maxFooter {
		return fmt.Errorf("cannot open Parquet: a footer of %d bytes does not fit a file of %d", n, size)
	}
	return nil
}

func (f *File) check() error {
	var rows int64
	for g := range f.groups {
		group := &f.groups[g]
		if group.NumRows < 0 || len(group.Columns) != len(f.leaves) {
			return fmt.Errorf("row group %d has %d rows and %d columns, the schema %d", g, group.NumRows, len(group.Columns), len(f.leaves))
		}
		if rows += group.NumRows; rows < 0 {
			return fmt.Errorf("the row groups have more rows than can be counted")
		}
		for c := range group.Columns {
			if err := f.checkChunk(group, c); err != nil {
				return fmt.Errorf("row group %d, column %q: %w", g, f.schema[c].Name, err)
			}
		}
	}
	if total := f.file.Metadata().NumRows; rows != total {
		return fmt.Errorf("the row groups have %d rows, the file says %d", rows, total)
	}
	return nil
}

func (f *File) checkChunk(group *format.RowGroup, c int) error {
	chunk := &group.Columns[c]
	if len(chunk.FilePath) > 0 {
		return fmt.Errorf("its data lies in another file")
	}
	m := &chunk.MetaData
	if m.NumValues != group.NumRows && f.leaves[c].Kind != Other {
		return fmt.Errorf("%d values for %d rows", m.NumValues, group.NumRows)
	}
	start := chunkStart(m)
	if start < 4 || m.TotalCompressedSize < 0 || start > f.size-m.TotalCompressedSize {
		return fmt.Errorf("bytes %d to %d lie outside the file's %d", start, start+m.TotalCompressedSize, f.size)
	}
	for _, x := range [...]struct{ offset, length int64 }{
		{chunk.ColumnIndexOffset, int64(chunk.ColumnIndexLength)},
		{chunk.OffsetIndexOffset, int64(chunk.OffsetIndexLength)},
	} {
		if x.offset < 0 || x.length < 0 || x.offset > f.size-x.length {
			return fmt.Errorf("its page index, bytes %d to %d, lies outside the file's %d", x.offset, x.offset+x.length, f.size)
		}
	}
	return nil
}

// chunkStart is where a chunk's first page lies, dictionary or data.
func chunkStart(m *format.ColumnMetaData) int64 {
	if d := m.DictionaryPageOffset; d > 0 && d < m.DataPageOffset {
		return d
	}
	return m.DataPageOffset
}

// Schema is the file's columns. Do not change it.
func (f *File) Schema() Schema { return f.schema }

// Rows is the number of rows of the file.
func (f *File) Rows() int64 { return f.file.NumRows() }

// Groups is the number of row groups.
func (f *File) Groups() int { return len(f.groups) }

// GroupRows is the number of rows of a row group.
func (f *File) GroupRows(group int) int64 { return f.groups[group].NumRows }

// Metadata looks up what the writer put into the footer.
func (f *File) Metadata(key string) (value string, ok bool) { return f.file.Lookup(key) }

// Bounds are the smallest and largest value of a column in a row group, as its
// writer stated them; ok is false for kinds other than Int32, Int64 and
// Timestamp, and where nothing is stated.
func (f *File) Bounds(group, column int) (least, most int64, ok bool) {
	s := &f.groups[group].Columns[column].MetaData.Statistics
	return f.bounds(column, s.MinValue, s.MaxValue)
}

func (f *File) bounds(column int, least, most []byte) (int64, int64, bool) {
	l := &f.leaves[column]
	a, okA := l.statistic(least)
	b, okB := l.statistic(most)
	return a, b, okA && okB
}

func (l *leaf) statistic(b []byte) (int64, bool) {
	switch {
	case l.Kind == Int32 && len(b) == 4:
		return int64(int32(binary.LittleEndian.Uint32(b))), true
	case (l.Kind == Int64 || l.Kind == Timestamp) && len(b) == 8:
		return l.scale(int64(binary.LittleEndian.Uint64(b))), true
	}
	return 0, false
}

// Page is what the page index says of one page of a column.
type Page struct {
	FirstRow, Rows int64 // within the row group
	Min, Max       int64 // where Bounded, as of File.Bounds
	Bounded        bool
}

// Pages lists the pages of a column in a row group; nil when the file has no page index.
func (f *File) Pages(group, column int) (pages []Page, err error) {
	defer recovered("read the page index of", &err)
	chunk := f.file.RowGroups()[group].ColumnChunks()[column].(*pq.FileColumnChunk)
	if f.groups[group].Columns[column].OffsetIndexOffset == 0 {
		return nil, nil
	}
	offsets, err := chunk.OffsetIndex()
	if err != nil {
		return nil, fmt.Errorf("cannot read the page index: %w", err)
	}
	rows := f.groups[group].NumRows
	for i := range offsets.NumPages() {
		p := Page{FirstRow: offsets.FirstRowIndex(i)}
		end := rows
		if i+1 < offsets.NumPages() {
			end = offsets.FirstRowIndex(i + 1)
		}
		if p.Rows = end - p.FirstRow; p.Rows < 0 || p.FirstRow < 0 || end > rows {
			return nil, fmt.Errorf("cannot read the page index: page %d has the rows %d to %d of %d", i, p.FirstRow, end, rows)
		}
		pages = append(pages, p)
	}
	if f.groups[group].Columns[column].ColumnIndexOffset == 0 {
		return pages, nil
	}
	index, err := chunk.ColumnIndex()
	if err != nil {
		return nil, fmt.Errorf("cannot read the page index: %w", err)
	}
	if index.NumPages() != len(pages) {
		return nil, fmt.Errorf("cannot read the page index: it bounds %d pages of %d", index.NumPages(), len(pages))
	}
	l := &f.leaves[column]
	for i := range pages {
		if index.NullPage(i) || l.Kind == Other || l.Kind == Uint64 || !l.Kind.integer() {
			continue
		}
		least, most := index.MinValue(i), index.MaxValue(i)
		if l.Kind == Int32 {
			pages[i].Min, pages[i].Max = int64(least.Int32()), int64(most.Int32())
		} else {
			pages[i].Min, pages[i].Max = l.scale(least.Int64()), l.scale(most.Int64())
		}
		pages[i].Bounded = true
	}
	return pages, nil
}
