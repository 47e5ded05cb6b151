package query

import (
	"container/heap"
	"context"
	"slices"

	"parallax.example/internal/result"
)

// source gives the segments of a run in the order of their windows.
type source interface {
	// start is the window of the segment under way.
	start() int64
	// cells are its cells; one of the two is empty. Valid until next.
	cells() ([]cell, []wideCell)
	next() (more bool, err error)
}

// held is a run in memory.
type held struct {
	run  *run
	left []segment
}

func (h *held) start() int64 { return h.left[0].start }

func (h *held) cells() ([]cell, []wideCell) {
	s := h.left[0]
	if s.wide {
		return nil, h.run.wide[s.from:s.to]
	}
	return h.run.cells[s.from:s.to], nil
}

func (h *held) next() (bool, error) {
	h.left = h.left[1:]
	return len(h.left) > 0, nil
}

// between is the part of a run from one window's start to before another's.
func (r *run) between(from, to int64) source {
	left := r.segments
	i, _ := slices.BinarySearchFunc(left, from, segment.compare)
	k, _ := slices.BinarySearchFunc(left, to, segment.compare)
	if i == k {
		return nil
	}
	return &held{r, left[i:k]}
}

func (s segment) compare(start int64) int {
	switch {
	case s.start < start:
		return -1
	case s.start > start:
		return 1
	}
	return 0
}

type sources []source

func (h sources) Len() int           { return len(h) }
func (h sources) Less(i, k int) bool { return h[i].start() < h[k].start() }
func (h sources) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }
func (h *sources) Push(x any)        { *h = append(*h, x.(source)) }
func (h *sources) Pop() any          { x := (*h)[len(*h)-1]; *h = (*h)[:len(*h)-1]; return x }

// sink takes the rows by window and key. place is the key's in the sorted names.
type sink func(start int64, place uint32, p *result.Plain) error

// merge merges sources window by window.
func merge(ctx context.Context, from []source, rank []uint32, to sink) error {
	h := sources(from)
	heap.Init(&h)
	var w window
	w.byPlace = make([]result.Plain, len(rank))
	for len(h) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := h[0].start()
		for len(h) > 0 && h[0].start() == start {
			w.add(rank, h[0])
			more, err := h[0].next()
			if err != nil {
				return err
			}
			if more {
				heap.Fix(&h, 0)
			} else {
				heap.Pop(&h)
			}
		}
		if err := w.emit(start, to); err != nil {
			return err
		}
	}
	return nil
}

// window gathers the cells of one window.
type window struct {
	byPlace []result.Plain
	touched []uint32 // those of a window in which few keys are
}

func (w *window) add(rank []uint32, s source) {
	cells, wide := s.cells()
	for i := range cells {
		c := &cells[i]
		w.merge(rank[c.key], c.wide())
	}
	for i := range wide {
		w.merge(rank[wide[i].key], wide[i].Plain)
	}
}

func (w *window) merge(place uint32, p result.Plain) {
	to := &w.byPlace[place]
	if to.Count == 0 {
		*to = p
		w.touched = append(w.touched, place)
		return
	}
	to.Merge(p)
}

func (w *window) emit(start int64, to sink) error {
	if len(w.touched) < len(w.byPlace)/16 {
		slices.Sort(w.touched)
		for _, place := range w.touched {
			if err := w.give(start, place, to); err != nil {
				return err
			}
		}
	} else {
		for place := range w.byPlace {
			if w.byPlace[place].Count > 0 {
				if err := w.give(start, uint32(place), to); err != nil {
					return err
				}
			}
		}
	}
	w.touched = w.touched[:0]
	return nil
}

func (w *window) give(start int64, place uint32, to sink) error {
	p := &w.byPlace[place]
	err := to(start, place, p)
	*p = result.Plain{}
	return err
}
