package answer

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/internal/sketch"
)

const (
	batchRows = 1 << 12
	groupRows = 1 << 17 // a reader holds the different sketches of a group
)

// table collects rows into batches.
type table struct {
	w     *parquet.Writer
	batch []parquet.Vector
}

func newTable(out io.Writer, schema parquet.Schema) (table, error) {
	w, err := parquet.NewWriter(out, schema, parquet.Options{Codec: parquet.Zstd, GroupRows: groupRows})
	return table{w, parquet.NewBatch(schema)}, err
}

func (t *table) flush(rows int) error {
	if t.batch[0].Len() < rows {
		return nil
	}
	err := t.w.Write(t.batch)
	parquet.ResetBatch(t.batch)
	return err
}

// Close writes what is left and the footer, and returns the number of rows.
func (t *table) Close() (rows int64, err error) {
	if err := t.flush(1); err != nil {
		return 0, err
	}
	return t.w.Rows(), t.w.Close()
}

// RowWriter writes a file of rows.
type RowWriter struct {
	table
	histogram sketch.Histogram
	subjects  sketch.Distinct
}

// NewRowWriter begins a file on out.
func NewRowWriter(out io.Writer) (*RowWriter, error) {
	t, err := newTable(out, slices.Concat(rowColumns, readableColumns))
	return &RowWriter{table: t}, err
}

// Write adds a row.
func (w *RowWriter) Write(r *Row) error {
	b := w.batch
	name, hash, _ := strings.Cut(r.Cell.View, "@")
	b[0].AppendString(string(r.Reading))
	b[1].AppendString(name)
	b[2].AppendString(hash)
	b[3].AppendString(r.Cell.Key)
	b[4].AppendInt64(r.Cell.Span.Start)
	b[5].AppendInt64(r.Cell.Span.End)
	b[6].AppendInt64(int64(r.Cell.Partition))
	b[7].AppendUint64(r.Agg.Count)
	b[8].AppendInt64(r.Agg.SumHigh)
	b[9].AppendUint64(r.Agg.SumLow)
	b[10].AppendInt64(r.Agg.Min)
	b[11].AppendInt64(r.Agg.Max)
	if r.Closed {
		b[12].AppendInt64(r.ClosedAt)
	} else {
		b[12].AppendNull()
	}
	if err := w.sketches(&r.Agg); err != nil {
		return fmt.Errorf("cannot write the row of key %q, %s, in view %s: %w", r.Cell.Key, r.Cell.Span, r.Cell.View, err)
	}
	return w.flush(batchRows)
}

// sketches adds the bytes of a row's sketches and what they say.
func (w *RowWriter) sketches(a *result.Agg) error {
	b := w.batch[len(rowColumns)-2:]
	if a.Quantiles == "" {
		appendNulls(b[0:1], b[2:5])
	} else {
		if err := w.histogram.Decode([]byte(a.Quantiles)); err != nil {
			return err
		}
		b[0].AppendString(a.Quantiles)
		for i, percent := range []int{50, 95, 99} {
			b[2+i].AppendInt64(w.histogram.Quantile(percent))
		}
	}
	if a.Distinct == "" {
		appendNulls(b[1:2], b[5:6])
	} else {
		if err := w.subjects.Decode([]byte(a.Distinct)); err != nil {
			return err
		}
		b[1].AppendString(a.Distinct)
		b[5].AppendUint64(w.subjects.Estimate())
	}
	return nil
}

func appendNulls(columns ...[]parquet.Vector) {
	for _, c := range columns {
		for i := range c {
			c[i].AppendNull()
		}
	}
}

// JudgementWriter writes a file of judgements.
type JudgementWriter struct{ table }

// NewJudgementWriter begins a file on out.
func NewJudgementWriter(out io.Writer) (*JudgementWriter, error) {
	t, err := newTable(out, judgementColumns)
	return &JudgementWriter{t}, err
}

// Write adds a judgement.
func (w *JudgementWriter) Write(j *Judgement) error {
	b := w.batch
	b[0].AppendInt64(int64(j.Partition))
	b[1].AppendInt64(j.Offset)
	if j.CauseA == result.Late {
		name, hash, _ := strings.Cut(j.Cell.View, "@")
		b[2].AppendString(name)
		b[3].AppendString(hash)
		b[4].AppendInt64(j.Cell.Span.Start)
		b[5].AppendInt64(j.Cell.Span.End)
	} else {
		for i := 2; i <= 5; i++ {
			b[i].AppendNull()
		}
	}
	b[6].AppendString(j.CauseA.String())
	if j.CauseB != 0 {
		b[7].AppendString(j.CauseB.String())
	} else {
		b[7].AppendNull()
	}
	b[8].AppendString(j.Cell.Key)
	b[9].AppendInt64(j.Time)
	b[10].AppendInt64(j.Value)
	if j.HasID {
		b[11].AppendString(j.Producer)
		b[12].AppendUint64(j.Seq)
	} else {
		b[11].AppendNull()
		b[12].AppendNull()
	}
	return w.flush(batchRows)
}
