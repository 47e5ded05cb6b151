package query

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// task is one row group.
type task struct {
	file  *file
	group int
}

// worker does tasks one after the other, with the same memory.
type worker struct {
	columns columns
	dense   *dense
	sparse  sparse
	config  *Config
	into    *folded
	numbers []uint32 // of the dictionary's values, by code
	most    int      // more than any of them
	poor    bool     // blocks stay nearly empty: the group goes through the table
	rows    int64
}

// most rows that are folded between two flushes, so that cells do not overflow.
const mostRows = 1 << 30

func newWorker(c *Config, into *folded) *worker {
	return &worker{config: c, into: into, dense: newDense(c.Window, c.blockCells()), sparse: sparse{hop: c.Window}}
}

func (w *worker) do(ctx context.Context, t task) error {
	if err := w.columns.open(t.file, t.group); err != nil {
		return err
	}
	w.numbers = w.numbers[:0]
	w.poor = false
	for {
		s, err := w.columns.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("cannot query %q: %w", t.file.name, err)
		}
		before := len(w.numbers)
		w.numbers = w.into.keys.translate(w.numbers, w.columns.key.Dict())
		for _, n := range w.numbers[before:] {
			w.most = max(w.most, int(n)+1)
		}
		if err := w.fold(s); err != nil {
			return err
		}
	}
}

func (w *worker) fold(s *stretch) error {
	w.rows += int64(len(s.times))
	times, codes, values := s.times, s.codes, s.values
	if !fit32(values) {
		w.sparse.add(times, codes, values, w.numbers)
		return w.relieve()
	}
	for len(times) > 0 && !w.poor {
		d := w.dense
		if w.most > d.stride || d.rows+len(times) > mostRows {
			if err := w.flush(); err != nil {
				return err
			}
			d.widen(w.most)
		}
		n := d.add(times, codes, values, w.numbers)
		times, codes, values = times[n:], codes[n:], values[n:]
		if len(times) == 0 {
			return nil
		}
		// Outside of the grid, or no room. Blocks must be worth their cells.
		w.poor = d.windows == 0 || d.stride > d.room || len(d.cells) > 4*d.rows && d.rows > 0
		if err := w.flush(); err != nil {
			return err
		}
		d.center(times[0])
	}
	if len(times) > 0 {
		w.sparse.add(times, codes, values, w.numbers)
	}
	return w.relieve()
}

func fit32(values []int64) bool {
	var far uint64
	for _, v := range values {
		far |= uint64(v ^ v>>63)
	}
	return far>>31 == 0
}

// relieve empties the table when it is as large as the blocks may be.
func (w *worker) relieve() error {
	if 4*len(w.sparse.cells) < w.dense.room {
		return nil
	}
	return w.flush()
}

// flush ends the run under way.
func (w *worker) flush() error {
	r := &run{}
	w.dense.flush(r)
	w.sparse.flush(r)
	if len(r.segments) == 0 {
		return nil
	}
	r.sort()
	return w.into.add(w.config, r)
}
