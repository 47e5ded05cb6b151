package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
)

// set is some files that every engine reads.
type set struct {
	Name   string `json:"name"`
	About  string `json:"about"`
	Codec  string `json:"codec"`
	rounds int    // times that the half year of flights stands in it, one file each
	years  bool   // each round is a year later than the one before
}

var codecs = map[string]parquet.Codec{"none": parquet.Uncompressed, "snappy": parquet.Snappy, "zstd": parquet.Zstd}

// sets are what is measured, in this order.
var sets = []set{
	{"3m-none", "3,000,000 flights", "none", 1, false},
	{"3m-snappy", "3,000,000 flights", "snappy", 1, false},
	{"3m-zstd", "3,000,000 flights", "zstd", 1, false},
	{"48m-none", "48,000,000 rows: the flights, 16 times", "none", 16, false},
	{"48m-snappy", "48,000,000 rows: the flights, 16 times", "snappy", 16, false},
	{"48m-zstd", "48,000,000 rows: the flights, 16 times", "zstd", 16, false},
	{"48m-years-snappy", "48,000,000 rows: the flights in 16 years", "snappy", 16, true},
}

// year shifts a round: 52 weeks, so that weekdays stay.
const year = 52 * 7 * 24 * 3_600_000_000

// events are the flights as events, in the order in which their delays became known.
type events struct {
	time, delay  []int64
	key, subject []string
}

// readFlights reads the published file.
func readFlights(name string) (*events, error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	f, err := parquet.Open(in, info.Size())
	if err != nil {
		return nil, err
	}
	column := func(name string) parquet.Column {
		c := f.Schema()[max(0, f.Schema().Index(name))]
		c.Optional = true
		return c
	}
	cursor, err := f.Cursor(0, f.Groups(), column("date"), column("delay"), column("origin"), column("destination"))
	if err != nil {
		return nil, err
	}
	e := &events{}
	for {
		n, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i, to := range []*[]int64{&e.time, &e.delay} {
			values, err := cursor.Int64(i)
			if err != nil {
				return nil, err
			}
			*to = append(*to, values[:n]...)
		}
		for i, to := range []*[]string{&e.key, &e.subject} {
			codes, err := cursor.Codes(2 + i)
			if err != nil {
				return nil, err
			}
			names := make([]string, cursor.Dict(2+i).Len())
			for code := range names {
				names[code] = string(cursor.Dict(2 + i).Value(int32(code)))
			}
			for _, code := range codes[:n] {
				*to = append(*to, names[code])
			}
		}
	}
	order := make([]int, len(e.time))
	for i := range order {
		order[i] = i
	}
	known := func(i int) int64 { return e.time[i] + max(0, e.delay[i])*60_000_000 }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(known(a), known(b)) })
	sorted := &events{}
	for _, i := range order {
		sorted.time, sorted.delay = append(sorted.time, e.time[i]), append(sorted.delay, e.delay[i])
		sorted.key, sorted.subject = append(sorted.key, e.key[i]), append(sorted.subject, e.subject[i])
	}
	return sorted, nil
}

// schema is that of the lake's event files.
var schema = parquet.Schema{
	{Name: lake.ColumnPartition, Kind: parquet.Int32},
	{Name: lake.ColumnOffset, Kind: parquet.Int64},
	{Name: lake.ColumnTimestamp, Kind: parquet.Int64},
	{Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	{Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true},
	{Name: lake.ColumnKey, Kind: parquet.String},
	{Name: lake.ColumnSubject, Kind: parquet.String},
	{Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	{Name: lake.ColumnValue, Kind: parquet.Int64},
}

// files makes the set, unless it is there, and returns its files.
func (l *lab) files(ctx context.Context, s *set) ([]string, error) {
	folder := filepath.Join(l.cache, s.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var names []string
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(l.threads)
	for round := range s.rounds {
		name := filepath.Join(folder, fmt.Sprintf("part-%05d.parquet", round))
		names = append(names, name)
		if _, err := os.Stat(name); err == nil {
			continue
		}
		e, err := l.flights(ctx)
		if err != nil {
			return nil, err
		}
		g.Go(func() error {
			if err := e.write(ctx, name, s, round); err != nil {
				return fmt.Errorf("cannot make the set %s: %w", s.Name, err)
			}
			return nil
		})
	}
	return names, g.Wait()
}

// write makes one file, whole or not at all.
func (e *events) write(ctx context.Context, name string, s *set, round int) (err error) {
	out, err := os.Create(name + ".partial")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer func() { err = errors.Join(err, out.Close()) }()
	w, err := parquet.NewWriter(out, schema, parquet.Options{Codec: codecs[s.Codec]})
	if err != nil {
		return err
	}
	shift := int64(0)
	if s.years {
		shift = int64(round) * year
	}
	b := parquet.NewBatch(schema)
	for i, t := range e.time {
		seq := int64(round*len(e.time) + i)
		b[0].AppendInt64(0)
		b[1].AppendInt64(seq)
		b[2].AppendInt64(t/1000 + shift/1000)
		b[3].AppendString("flights")
		b[4].AppendUint64(uint64(seq))
		b[5].AppendString(e.key[i])
		b[6].AppendString(e.subject[i])
		b[7].AppendInt64(t + shift)
		b[8].AppendInt64(e.delay[i])
		if i%(1<<14) == 1<<14-1 || i == len(e.time)-1 {
			if err := errors.Join(ctx.Err(), w.Write(b)); err != nil {
				return err
			}
			parquet.ResetBatch(b)
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), name)
}
