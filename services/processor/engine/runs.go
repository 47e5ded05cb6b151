package engine

import (
	"slices"
	"unsafe"

	"parallax.example/internal/event"
)

// A row of a window with very many panes would cost a merge for each of them,
// and the next window has all but one of them again. So sums are kept: of a key
// with many cells in a window, the sums from some of its cells on to the last
// that the window had, and the sum of what came after. The next rows are a few
// cells, one such sum, and that: about the root of as many merges. An event that
// enters a pane of a closed window is added to the sums. They follow from the
// cells, so they are no part of the state.

// fewCells need no run.
const fewCells = 8

// run is the sums of one key.
type run struct {
	tails []sum  // from a cell, where each starts, on; later ones first
	front sum    // of the cells after those, up to last
	last  uint32 // a cell
	end   int64  // its start

	counted uint64 // what it takes, in runs.bytes
}

// runs are those of a view. The memory of one that ends is kept for the next,
// but of no more than there are now.
type runs struct {
	of    []*run // by key; nil if it has none
	used  int    // of them
	spare []*run
	bytes uint64 // what all take, used and spare
}

func (r *runs) get(key uint32) *run {
	if int(key) < len(r.of) {
		return r.of[key]
	}
	return nil
}

// make returns the run of a key, a new one if it has none.
func (r *runs) make(key uint32) *run {
	if n := int(key) + 1; n > len(r.of) {
		r.of = append(r.of, make([]*run, n-len(r.of))...)
	}
	if r.of[key] != nil {
		return r.of[key]
	}
	r.used++
	if k := len(r.spare); k > 0 {
		r.of[key], r.spare = r.spare[k-1], r.spare[:k-1]
	} else {
		r.of[key] = &run{}
	}
	return r.of[key]
}

func (r *runs) drop(key uint32) {
	one := r.get(key)
	if one == nil {
		return
	}
	r.of[key] = nil
	r.used--
	r.spare = append(r.spare, one)
	for k := len(r.spare) - 1; k >= r.used; k-- {
		r.bytes -= r.spare[k].counted
		r.spare[k], r.spare = nil, r.spare[:k]
	}
}

func (r *runs) dropAll() {
	for key := range r.of {
		r.drop(uint32(key))
	}
}

// count notes what a run takes now.
func (r *runs) count(one *run) {
	size := one.size()
	r.bytes += size - one.counted
	one.counted = size
}

func (one *run) size() uint64 {
	n := int(unsafe.Sizeof(*one)) + one.front.memory()
	for tails, i := one.tails[:cap(one.tails)], 0; i < len(tails); i++ { // also those that are kept
		n += int(unsafe.Sizeof(tails[i])) + tails[i].memory()
	}
	return uint64(n)
}

// memory is what all of them take.
func (r *runs) memory() uint64 { return r.bytes + uint64(8*cap(r.of)) }

// addToRun adds an event of a key that entered the pane with this start: to each
// sum that reaches back so far, of which a row has one.
func (v *viewState) addToRun(key uint32, start int64, e *event.Event) {
	r := v.panes.runs.get(key)
	if r == nil || start > r.end {
		return // the pane is still to come
	}
	for i := range r.tails {
		if r.tails[i].start <= start {
			v.addEvent(&r.tails[i], e)
		}
	}
	v.recount(r)
}

// recount counts a run again whose sums have taken something in: with sketches
// they grow by that.
func (v *viewState) recount(r *run) {
	if v.sketches != nil {
		v.panes.runs.count(r)
	}
}

func (c *cells) addEvent(s *sum, e *event.Event) {
	s.plain.Add(e.Value)
	if c.sketches != nil {
		s.fold(c.asks, e)
	}
}

// windowSum merges the cells of a key from its first one on, up to a time. It is
// to be asked for one window after the other.
func (v *viewState) windowSum(key uint32, end int64) *sum {
	first := v.firsts[key]
	if r := v.panes.runs.get(key); r != nil {
		for n := len(r.tails); n > 0 && r.tails[n-1].start < v.list[first-1].start; n-- {
			r.tails = r.tails[:n-1]
		}
		if n := len(r.tails); n > 0 {
			for at := v.list[r.last].later; at != 0 && v.list[at-1].start < end; at = v.list[at-1].later {
				v.sum(&r.front, at-1)
				r.last, r.end = at-1, v.list[at-1].start
			}
			v.recount(r)
			row := &v.panes.row
			row.reset()
			for at := first; v.list[at-1].start < r.tails[n-1].start; at = v.list[at-1].later {
				v.sum(row, at-1)
			}
			v.join(row, &r.tails[n-1])
			v.join(row, &r.front)
			return row
		}
	}
	return v.walkSum(key, end)
}

// walkSum is windowSum by the cells alone. It makes the run anew, or ends it if
// they are few.
func (v *viewState) walkSum(key uint32, end int64) *sum {
	row := &v.panes.row
	row.reset()
	first, last, n := v.firsts[key], uint32(0), 0
	for at := first; at != 0 && v.list[at-1].start < end; at = v.list[at-1].later {
		last = at
		n++
	}
	if n < fewCells {
		v.panes.runs.drop(key)
		for at := first; at != v.list[last-1].later; at = v.list[at-1].later {
			v.sum(row, at-1)
		}
		return row
	}
	r := v.panes.runs.make(key)
	r.tails, r.last, r.end = r.tails[:0], last-1, v.list[last-1].start
	r.front.reset()
	stride := 1
	for stride*stride < n {
		stride++
	}
	group := &v.panes.out // of as many cells: few merges into a large sum
	group.reset()
	for i, at := 1, last; at != 0; i, at = i+1, v.list[at-1].earlier {
		v.sum(group, at-1)
		if i%stride == 0 {
			v.join(row, group)
			group.reset()
			tail := extend(&r.tails)
			tail.reset()
			tail.start = v.list[at-1].start
			v.join(tail, row)
		}
	}
	v.join(row, group)
	if cap(r.tails) > 2*len(r.tails) { // there were many more
		r.tails = slices.Clone(r.tails)
	}
	v.panes.runs.count(r)
	return row
}
