// Package arrow is the project's only door to Apache Arrow: IPC streams of
// record batches, which the batch's shuffle files are and notebooks read. Their
// columns are binary: any bytes, no nulls.
//
// Trust: same batches, same bytes. A stream that is cut off or is no Arrow gives
// an error, not a panic; but sizes inside it are believed, so a reader first
// proves by a checksum that the bytes are those that were written.
package arrow

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Writer writes one stream by columns.
type Writer struct {
	out     *ipc.Writer
	builder *array.RecordBuilder
}

// NewWriter begins a stream of these columns on out; Close ends it and leaves
// out open.
func NewWriter(out io.Writer, columns []string) *Writer {
	fields := make([]arrow.Field, len(columns))
	for i, name := range columns {
		fields[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.Binary}
	}
	schema := arrow.NewSchema(fields, nil)
	return &Writer{
		out:     ipc.NewWriter(out, ipc.WithSchema(schema)),
		builder: array.NewRecordBuilder(memory.DefaultAllocator, schema),
	}
}

// Binary adds a copy of a value to column i of the batch under way. The values
// of one batch's column stay below 2 GiB.
func (w *Writer) Binary(i int, v []byte) { w.builder.Field(i).(*array.BinaryBuilder).Append(v) }

// Flush writes the batch under way, whose columns are of one length.
func (w *Writer) Flush() error {
	batch := w.builder.NewRecord()
	defer batch.Release()
	if err := w.out.Write(batch); err != nil {
		return fmt.Errorf("cannot write Arrow batch: %w", err)
	}
	return nil
}

// Close ends the stream.
func (w *Writer) Close() error {
	w.builder.Release()
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("cannot end Arrow stream: %w", err)
	}
	return nil
}

// Reader reads one stream batch by batch.
type Reader struct{ in *ipc.Reader }

// NewReader begins to read a stream whose columns must be these.
func NewReader(in io.Reader, columns []string) (r *Reader, err error) {
	defer recovered(&err)
	stream, err := ipc.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("cannot read Arrow stream: %w", err)
	}
	got := stream.Schema().Fields()
	for i, name := range columns {
		if len(got) != len(columns) || got[i].Name != name || !arrow.TypeEqual(got[i].Type, arrow.BinaryTypes.Binary) {
			stream.Release()
			return nil, fmt.Errorf("cannot read Arrow stream: its columns are %v", stream.Schema())
		}
	}
	return &Reader{stream}, nil
}

// Batch is one record batch; it is valid until the next Next or Close.
type Batch struct{ record arrow.Record }

// Next returns the next batch, or io.EOF at the stream's proper end.
func (r *Reader) Next() (b Batch, err error) {
	defer recovered(&err)
	if r.in.Next() {
		return Batch{r.in.Record()}, nil
	}
	if err := r.in.Err(); err != nil && !errors.Is(err, io.EOF) {
		return Batch{}, fmt.Errorf("cannot read Arrow batch: %w", err)
	}
	return Batch{}, io.EOF
}

// Close frees the last batch.
func (r *Reader) Close() { r.in.Release() }

// Len is the number of rows; the zero Batch has none.
func (b Batch) Len() int {
	if b.record == nil {
		return 0
	}
	return int(b.record.NumRows())
}

// Binary is a row of column i.
func (b Batch) Binary(i, row int) []byte { return b.record.Column(i).(*array.Binary).Value(row) }

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("cannot read Arrow stream: %v", p)
	}
}
