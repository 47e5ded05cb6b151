package mapreduce

import (
	"bufio"
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"parallax.example/internal/arrow"
)

// run is one sorted shuffle file while it is merged.
type run struct {
	task   int
	path   string
	file   *os.File
	reader *arrow.Reader
	batch  arrow.Batch
	row    int
	left   int64 // rows that the manifest still promises
}

func (r *run) key() []byte   { return r.batch.Binary(0, r.row) }
func (r *run) value() []byte { return r.batch.Binary(1, r.row) }

// next goes to the next record; ok is false at the file's end, which must be
// where the manifest says.
func (r *run) next() (ok bool, err error) {
	r.row++
	for r.row >= r.batch.Len() {
		b, err := r.reader.Next()
		if errors.Is(err, io.EOF) {
			if r.left != 0 {
				return false, fmt.Errorf("cannot read %q: %d rows are missing", r.path, r.left)
			}
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("cannot read %q: %w", r.path, err)
		}
		r.batch, r.row = b, 0
	}
	r.left--
	return true, nil
}

func (r *run) close() {
	if r.reader != nil {
		r.reader.Close()
	}
	r.file.Close()
}

// runs is a heap by key; equal keys come in the order of their tasks, so that
// even a Merge that is not commutative would meet them in one order.
type runs []*run

func (h runs) Len() int      { return len(h) }
func (h runs) Swap(i, k int) { h[i], h[k] = h[k], h[i] }
func (h *runs) Push(x any)   { *h = append(*h, x.(*run)) }
func (h *runs) Pop() any     { x := (*h)[len(*h)-1]; *h = (*h)[:len(*h)-1]; return x }
func (h runs) Less(i, k int) bool {
	if c := bytes.Compare(h[i].key(), h[k].key()); c != 0 {
		return c < 0
	}
	return h[i].task < h[k].task
}

// Output is where a reduce task writes.
type Output struct{ a *attempt }

// Create makes an output file; name is a path such as "rows/part-0003.parquet"
// and of this task alone.
func (o *Output) Create(name string) (io.Writer, error) { return o.a.create(name) }

// Count adds to a counter of the job, as Emitter.Count does.
func (o *Output) Count(name string, n int64) { o.a.Counters[name] += n }

// runReduce merges the shard's run of every map task into one Reducer.
func (j *Job) runReduce(ctx context.Context, w workspace, a *attempt, maps []*manifest) error {
	reducer, err := j.Reduce(a.index, &Output{a})
	if err != nil {
		return fmt.Errorf("cannot begin %s: %w", a.task, err)
	}
	var h runs
	defer func() {
		for _, r := range h {
			r.close()
		}
	}()
	for i, m := range maps {
		r, err := openRun(i, m, shuffleName(a.index))
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		h = append(h, r)
		if ok, err := r.next(); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("cannot read %q: it is empty", r.path)
		}
	}
	heap.Init(&h)
	var key, value []byte
	for n := 0; len(h) > 0; n++ {
		if n%batchRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key = append(key[:0], h[0].key()...)
		value = append(value[:0], h[0].value()...)
		for first := true; ; first = false {
			if !first {
				value = j.Merge(value, h[0].value())
			}
			if err := h.advance(); err != nil {
				return err
			}
			if len(h) == 0 || !bytes.Equal(key, h[0].key()) {
				break
			}
		}
		if err := reducer.Put(key, value); err != nil {
			return fmt.Errorf("cannot reduce %s: %w", a.task, err)
		}
		a.Records++
	}
	rows, err := reducer.Close()
	if err != nil {
		return fmt.Errorf("cannot reduce %s: %w", a.task, err)
	}
	return a.seal(rows)
}

// advance moves the first run on, and drops it at its end.
func (h *runs) advance() error {
	ok, err := (*h)[0].next()
	switch {
	case err != nil:
		return err
	case ok:
		heap.Fix(h, 0)
	default:
		(*h)[0].close()
		heap.Pop(h)
	}
	return nil
}

// openRun opens a map task's file for a shard, after its checksum; nil when the
// task had nothing for it.
func openRun(task int, m *manifest, name string) (*run, error) {
	for _, f := range m.Files {
		if f.Path != name {
			continue
		}
		if err := f.verify(m.path(name)); err != nil {
			return nil, fmt.Errorf("cannot shuffle: %w", err)
		}
		file, err := os.Open(m.path(name))
		if err != nil {
			return nil, fmt.Errorf("cannot shuffle: %w", err)
		}
		r := &run{task: task, path: m.path(name), file: file, row: -1, left: f.Rows}
		if r.reader, err = arrow.NewReader(bufio.NewReaderSize(file, 1<<18), shuffleColumns); err != nil {
			r.close()
			return nil, fmt.Errorf("cannot shuffle %q: %w", r.path, err)
		}
		return r, nil
	}
	return nil, nil
}
