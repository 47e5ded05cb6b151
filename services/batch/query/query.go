package query

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"parallax.example/internal/result"
)

// Config of a query.
type Config struct {
	Files            []string
	Time, Key, Value string // names of columns
	Window           int64  // µs
	Workers          int    // tasks at a time; 0: as many as there are cores
	Memory           Bytes  // beyond which runs go to disk; 0: no bound
	Scratch          string // folder for them; empty: the system's
	// Progress is told after each row group; may be nil. Called by one goroutine at a time.
	Progress func(Progress)
}

// Progress is how far a query has come.
type Progress struct {
	Done, Of      int // row groups
	Rows, Spilled int64
}

func (c *Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// Totals are of one query.
type Totals struct {
	Read    int64 `json:"read"`    // rows in the answer
	Nulls   int64 `json:"nulls"`   // rows that were left out
	Rows    int64 `json:"rows"`    // of the answer
	Spilled int64 `json:"spilled"` // bytes that went to disk
}

// Rows is an answer in memory, by window and key.
type Rows struct {
	Keys  []string // sorted
	Parts []Part   // one after the other
	Totals
}

// Part is some rows, by columns.
type Part struct {
	Start []int64  // of the window, µs UTC
	Place []uint32 // in Keys
	Agg   []result.Plain
}

// Run answers the query in memory.
func Run(ctx context.Context, c Config) (_ *Rows, err error) {
	f, err := c.fold(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	names, rank := f.keys.sorted()
	bounds := f.split(c.workers())
	r := &Rows{Keys: names, Parts: make([]Part, len(bounds)-1)}
	g := errgroup.Group{}
	for i := range r.Parts {
		g.Go(func() error {
			from, err := f.sources(bounds[i], bounds[i+1])
			if err != nil {
				return err
			}
			part := &r.Parts[i]
			return merge(ctx, from, rank, func(start int64, place uint32, p *result.Plain) error {
				part.Start, part.Place, part.Agg = append(part.Start, start), append(part.Place, place), append(part.Agg, *p)
				return nil
			})
		})
	}
	err = g.Wait()
	for i := range r.Parts {
		r.Rows += int64(len(r.Parts[i].Start))
	}
	r.Read, r.Nulls, r.Spilled = f.read, f.nulls, f.spilled
	return r, err
}
