package engine

import (
	"slices"
	"unsafe"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/sketch"
	"parallax.example/internal/view"
)

// asks says which sketches a view needs.
type asks struct{ quantiles, distinct bool }

func asksOf(v *view.View) asks { return asks{v.AsksQuantiles(), v.AsksDistinct()} }

func (a asks) any() bool { return a.quantiles || a.distinct }

// sketches are what a cell has besides the plain aggregates; what the view does
// not ask for stays empty.
type sketches struct {
	quantiles sketch.Histogram // of the values
	distinct  sketch.Distinct  // of the subjects
	encoded   uint32           // bytes in the changelog
}

func (s *sketches) fold(a asks, e *event.Event) {
	if a.quantiles {
		s.quantiles.Add(e.Value)
	}
	if a.distinct {
		s.distinct.Add(sketch.Hash(e.Subject))
	}
}

func (s *sketches) merge(o *sketches) {
	s.quantiles.Merge(&o.quantiles)
	s.distinct.Merge(&o.distinct)
}

func (s *sketches) reset() {
	s.quantiles.Reset()
	s.distinct.Reset()
	s.encoded = 0
}

// memory is what s has beside itself, in bytes.
func (s *sketches) memory() int { return s.quantiles.Memory() + s.distinct.Memory() }

// set makes s equal to o, in s's own memory.
func (s *sketches) set(o *sketches) {
	s.reset()
	s.merge(o)
	s.encoded = o.encoded
}

// clear empties s, which holds so many events. Small sketches keep their memory
// for the next cell; those of the few large cells would spread over all ids.
func (s *sketches) clear(events uint64) {
	if events > 256 {
		*s = sketches{}
		return
	}
	s.reset()
}

// sum is the merge of some cells of one key.
type sum struct {
	start int64 // of the last of them
	plain result.Plain
	sketches
	by cause // the last record that entered one of them in this transaction
}

func (s *sum) reset() {
	s.plain, s.by = result.Plain{}, cause{offset: -1}
	s.sketches.reset()
}

// sum merges a cell into s.
func (c *cells) sum(s *sum, id uint32) {
	o := &c.list[id]
	s.plain.Merge(o.agg)
	if c.sketches != nil {
		s.merge(&c.sketches[id])
	}
	if o.touch != 0 {
		s.latest(c.causes[o.touch-1])
	}
}

func (s *sum) latest(by cause) {
	if by.offset > s.by.offset {
		s.by = by
	}
}

// join merges t into s.
func (c *cells) join(s, t *sum) {
	s.plain.Merge(t.plain)
	if c.sketches != nil {
		s.merge(&t.sketches)
	}
	s.latest(t.by)
}

// extend makes a list one longer and returns its last element, with the memory
// that it had before.
func extend[T any](list *[]T) *T {
	n := len(*list)
	*list = slices.Grow(*list, 1)[:n+1]
	return &(*list)[n]
}

// text lends bytes to who only reads them, without a copy.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
