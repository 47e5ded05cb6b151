package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
)

// schema is that of an answer's file.
var schema = parquet.Schema{
	{Name: "window_start", Kind: parquet.Timestamp},
	{Name: "window_end", Kind: parquet.Timestamp},
	{Name: "key", Kind: parquet.String},
	{Name: "count", Kind: parquet.Uint64},
	{Name: "sum_high", Kind: parquet.Int64}, // the sum is sum_high·2^64 + sum_low
	{Name: "sum_low", Kind: parquet.Uint64},
	{Name: "min", Kind: parquet.Int64},
	{Name: "max", Kind: parquet.Int64},
}

const (
	writeRows = 1 << 12 // that are handed over at once
	groupRows = 1 << 17
)

// Write answers the query into a new Parquet file, row by row, so that the answer
// is never in memory as a whole. The file appears whole or not at all, and its bytes
// are a function of the rows that were read.
func Write(ctx context.Context, c Config, name string) (t Totals, err error) {
	f, err := c.fold(ctx)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if t, err = f.write(ctx, &c, name); err != nil {
		return t, fmt.Errorf("cannot write the answer: %w", err)
	}
	return t, nil
}

func (f *folded) write(ctx context.Context, c *Config, name string) (t Totals, err error) {
	names, rank := f.keys.sorted()
	from, err := f.sources(math.MinInt64, math.MaxInt64)
	if err != nil {
		return t, err
	}
	out, err := os.Create(name + ".partial")
	if err != nil {
		return t, err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err == nil {
			err = os.Rename(out.Name(), name)
		}
		if err != nil {
			os.Remove(out.Name())
		}
	}()
	w, err := parquet.NewWriter(out, schema, parquet.Options{GroupRows: groupRows})
	if err != nil {
		return t, err
	}
	b := parquet.NewBatch(schema)
	flush := func() error {
		err := w.Write(b)
		parquet.ResetBatch(b)
		return err
	}
	err = merge(ctx, from, rank, func(start int64, place uint32, p *result.Plain) error {
		b[0].AppendInt64(start)
		b[1].AppendInt64(start + c.Window)
		b[2].AppendString(names[place])
		b[3].AppendUint64(p.Count)
		b[4].AppendInt64(p.SumHigh)
		b[5].AppendUint64(p.SumLow)
		b[6].AppendInt64(p.Min)
		b[7].AppendInt64(p.Max)
		if b[0].Len() == writeRows {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = out.Sync()
	}
	return Totals{Read: f.read, Nulls: f.nulls, Rows: w.Rows(), Spilled: f.spilled}, err
}
