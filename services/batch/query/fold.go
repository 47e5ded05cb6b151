package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// folded is what all tasks found.
type folded struct {
	keys    keys
	mu      sync.Mutex
	done    int   // row groups
	read    int64 // rows
	nulls   int64
	runs    []*run
	held    int64      // bytes of the runs
	spills  []*os.File // the runs that went to disk
	spilled int64      // their bytes
}

// Of the memory a quarter is for blocks, a quarter for tables, an eighth for runs.
// The rest is for pages, for what the answer's writer holds, and for the collector.
func (c *Config) blockCells() int {
	most := int64(1 << 21) // 48 MiB
	if c.Memory > 0 {
		most = min(most, int64(c.Memory)/4/int64(c.workers())/cellBytes)
	}
	return int(most)
}

func (c *Config) runBytes() int64 {
	if c.Memory == 0 {
		return math.MaxInt64
	}
	return int64(c.Memory) / 8
}

// fold does all tasks.
func (c *Config) fold(ctx context.Context) (_ *folded, err error) {
	if c.Window <= 0 {
		return nil, fmt.Errorf("cannot query windows of %v: a window lasts a µs at least", c.Window)
	}
	f := &folded{keys: keys{numbers: map[string]uint32{}}}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	var tasks []task
	var files []*file
	defer func() {
		for _, x := range files {
			x.os.Close()
		}
	}()
	for _, name := range c.Files {
		x, err := c.open(name)
		if err != nil {
			return nil, err
		}
		files = append(files, x)
		for g := range x.table.Groups() {
			tasks = append(tasks, task{x, g})
		}
	}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(c.workers(), max(1, len(tasks))) {
		g.Go(func() error {
			w := newWorker(c, f)
			for i := next.Add(1) - 1; int(i) < len(tasks); i = next.Add(1) - 1 {
				if err := w.do(ctx, tasks[i]); err != nil {
					return err
				}
				f.count(c, w, len(tasks))
			}
			return w.flush()
		})
	}
	return f, g.Wait()
}

// count counts a task that is done.
func (f *folded) count(c *Config, w *worker, of int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done++
	f.read += w.rows
	f.nulls += w.columns.nulls
	w.rows, w.columns.nulls = 0, 0
	if c.Progress != nil {
		c.Progress(Progress{f.done, of, f.read, f.spilled})
	}
}

// add takes a run, and spills all that are held when they are too large.
func (f *folded) add(c *Config, r *run) error {
	f.mu.Lock()
	f.runs = append(f.runs, r)
	f.held += r.size()
	if f.held <= c.runBytes() {
		f.mu.Unlock()
		return nil
	}
	runs := f.runs
	f.runs, f.held = nil, 0
	f.mu.Unlock()

	file, size, err := spill(c.Scratch, runs)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spills = append(f.spills, file)
	f.spilled += size
	return nil
}

func (f *folded) close() error {
	var errs []error
	for _, s := range f.spills {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// sources are the parts of all runs between two windows' starts. Runs on disk are
// read from their beginning, so then there is one part.
func (f *folded) sources(from, to int64) ([]source, error) {
	var list []source
	for _, r := range f.runs {
		if s := r.between(from, to); s != nil {
			list = append(list, s)
		}
	}
	for _, file := range f.spills {
		s, err := openSpilled(file)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// split gives starts of windows between which the runs have about equally many segments.
func (f *folded) split(parts int) []int64 {
	if len(f.spills) > 0 {
		parts = 1
	}
	var starts []int64
	for _, r := range f.runs {
		for _, s := range r.segments {
			starts = append(starts, s.start)
		}
	}
	slices.Sort(starts)
	bounds := []int64{math.MinInt64}
	for i := 1; i < parts && len(starts) > 0; i++ {
		bounds = append(bounds, starts[i*len(starts)/parts])
	}
	return append(bounds, math.MaxInt64)
}
