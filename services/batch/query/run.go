package query

import (
	"cmp"
	"slices"
)

// run is what a task folded, in segments by window. A window may have several, and
// a key stands at most once in each.
type run struct {
	segments []segment
	cells    []cell
	wide     []wideCell
}

// segment is cells of one window: of the run's cells or of its wide ones.
type segment struct {
	start    int64
	from, to int32
	wide     bool
}

func (r *run) close(start int64, from int) {
	if from < len(r.cells) {
		r.segments = append(r.segments, segment{start, int32(from), int32(len(r.cells)), false})
	}
}

func (r *run) closeWide(start int64, from int) {
	if from < len(r.wide) {
		r.segments = append(r.segments, segment{start, int32(from), int32(len(r.wide)), true})
	}
}

func (r *run) sort() {
	slices.SortStableFunc(r.segments, func(a, b segment) int { return cmp.Compare(a.start, b.start) })
}

// size is the memory that it holds.
func (r *run) size() int64 {
	return int64(cap(r.cells))*24 + int64(cap(r.wide))*48 + int64(cap(r.segments))*24
}
