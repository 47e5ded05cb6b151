package parquet

import (
	"fmt"
	"io"
	"math"
	"slices"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/uncompressed"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// Codec compresses pages.
type Codec uint8

// The codecs that are written. Gzip is read, too.
const (
	Snappy Codec = iota
	Zstd
	Uncompressed
)

func (c Codec) codec() compress.Codec {
	switch c {
	case Zstd:
		return &zstd.Codec{Level: zstd.SpeedFastest}
	case Uncompressed:
		return &uncompressed.Codec{}
	}
	return &snappy.Codec{}
}

const (
	pageRows        = 1 << 14 // of every column's page, so that pages of a group lie side by side
	pageBytes       = 1 << 20 // of a Bytes column's page, which may end earlier for it
	scratchRows     = 1 << 10
	dictionaryBytes = 8 << 20 // a chunk's dictionary; beyond it the column goes on plain
	defaultGroup    = 1 << 20
)

// Options of a Writer. The zero value is the usual one.
type Options struct {
	Codec     Codec
	GroupRows int               // rows of a row group; 0 is 2^20
	Metadata  map[string]string // into the footer
}

// Writer writes one table. Same rows and options, same bytes.
type Writer struct {
	schema  Schema
	w       *pq.GenericWriter[any]
	columns []*pq.ColumnWriter
	pending []Vector // rows that do not fill a page yet
	limit   int      // rows of a group
	inGroup int
	rows    int64
	scratch []pq.Value
	err     error
}

// NewWriter begins a table on out. Nothing is a table before Close.
func NewWriter(out io.Writer, schema Schema, o Options) (*Writer, error) {
	s, err := schema.parquet()
	if err != nil {
		return nil, err
	}
	if o.GroupRows <= 0 {
		o.GroupRows = defaultGroup
	}
	options := []pq.WriterOption{
		s,
		pq.Compression(o.Codec.codec()),
		pq.CreatedBy("parallax", "1", "0"),
		pq.DataPageVersion(2),
		pq.DataPageStatistics(false), // the column index holds them once
		pq.PageBufferSize(pageBytes),
		pq.DictionaryMaxBytes(dictionaryBytes),
		pq.MaxRowsPerRowGroup(math.MaxInt64),
	}
	for k, v := range o.Metadata {
		options = append(options, pq.KeyValueMetadata(k, v)) // parquet-go sorts them
	}
	w := &Writer{
		schema:  slices.Clone(schema),
		w:       pq.NewGenericWriter[any](out, options...),
		pending: NewBatch(schema),
		limit:   o.GroupRows,
		scratch: make([]pq.Value, scratchRows),
	}
	w.columns = w.w.ColumnWriters()
	return w, nil
}

// Rows is how many rows were written so far.
func (w *Writer) Rows() int64 { return w.rows }

// Write adds a batch: one vector per column in schema order, all of one length.
// The vectors may be reset and filled again afterwards.
func (w *Writer) Write(batch []Vector) error {
	if w.err != nil {
		return w.err
	}
	n, err := w.check(batch)
	if err != nil {
		return err
	}
	for i := 0; i < n; {
		j := min(n, i+w.room())
		for c := range batch {
			w.pending[c].appendFrom(&batch[c], i, j)
		}
		w.rows += int64(j - i)
		i = j
		if w.room() == 0 {
			if w.err = w.page(); w.err != nil {
				return w.err
			}
		}
	}
	return nil
}

// room is how many rows the page under way still takes.
func (w *Writer) room() int {
	return min(pageRows, w.limit-w.inGroup) - w.pending[0].Len()
}

func (w *Writer) check(batch []Vector) (rows int, err error) {
	if len(batch) != len(w.schema) {
		panic(fmt.Sprintf("BUG: %d vectors for %d columns", len(batch), len(w.schema)))
	}
	rows = batch[0].Len()
	for i := range batch {
		v, c := &batch[i], w.schema[i]
		if v.kind != c.Kind || v.Len() != rows {
			panic(fmt.Sprintf("BUG: column %q of kind %s gets %d values of kind %s, the first column %d",
				c.Name, c.Kind, v.Len(), v.kind, rows))
		}
		if !c.Optional && slices.Contains(v.null, true) {
			return 0, fmt.Errorf("cannot write column %q: it is required and row %d is null", c.Name, slices.Index(v.null, true))
		}
		if c.Kind == Int32 {
			for _, x := range v.ints {
				if x != int64(int32(x)) {
					return 0, fmt.Errorf("cannot write column %q: %d does not fit 32 bits", c.Name, x)
				}
			}
		}
	}
	return rows, nil
}

// page hands the pending rows to parquet-go, one page per column.
func (w *Writer) page() (err error) {
	defer recovered("write", &err)
	n := w.pending[0].Len()
	for c := range w.columns {
		if err := w.column(c); err != nil {
			return fmt.Errorf("cannot write column %q: %w", w.schema[c].Name, err)
		}
	}
	ResetBatch(w.pending)
	if w.inGroup += n; w.inGroup >= w.limit {
		w.inGroup = 0
		if err := w.w.Flush(); err != nil {
			return fmt.Errorf("cannot write a row group: %w", err)
		}
	}
	return nil
}

func (w *Writer) column(c int) error {
	for i, n := 0, w.pending[c].Len(); i < n; {
		values := w.values(c, i, min(n, i+scratchRows))
		if _, err := w.columns[c].WriteRowValues(values); err != nil {
			return err
		}
		i += len(values)
	}
	return w.columns[c].Flush()
}

// values gives the pending rows [i, j) of a column to parquet-go, or the first
// of them, when those make a page already.
func (w *Writer) values(c, i, j int) []pq.Value {
	v, values := &w.pending[c], w.scratch[:j-i]
	switch kind := w.schema[c].Kind; {
	case kind == Int32:
		for k, x := range v.ints[i:j] {
			values[k] = pq.Int32Value(int32(x))
		}
	case kind.integer():
		for k, x := range v.ints[i:j] {
			values[k] = pq.Int64Value(x)
		}
	default:
		size := 0
		for k := range values {
			b := v.bytes(i + k)
			values[k] = pq.ByteArrayValue(b)
			if size += len(b); size >= pageBytes {
				values = values[:k+1]
				break
			}
		}
	}
	if w.schema[c].Optional { // else parquet-go reads no levels
		for k := range values {
			if len(v.null) > 0 && v.null[i+k] {
				values[k] = pq.NullValue().Level(0, 0, c)
			} else {
				values[k] = values[k].Level(0, 1, c)
			}
		}
	}
	return values
}

// Close writes what is pending and the footer. It does not close the output.
func (w *Writer) Close() (err error) {
	if w.err != nil {
		return w.err
	}
	defer recovered("write", &err)
	if w.pending[0].Len() > 0 {
		if err := w.page(); err != nil {
			return err
		}
	}
	if err := w.w.Close(); err != nil {
		return fmt.Errorf("cannot write the footer: %w", err)
	}
	w.err = fmt.Errorf("cannot write: the table is closed")
	return nil
}

// recovered turns a panic of the library into an error; our own pass through.
func recovered(verb string, err *error) {
	switch p := recover().(type) {
	case nil:
	case string:
		if len(p) > 4 && p[:4] == "BUG:" {
			panic(p)
		}
		*err = fmt.Errorf("cannot %s Parquet: %s", verb, p)
	default:
		*err = fmt.Errorf("cannot %s Parquet: %v", verb, p)
	}
}
