package engine

import (
	"cmp"
	"crypto/sha256"
	"math"
	"slices"

	"parallax.example/internal/view"
)

// viewState is what the engine holds of one view: its open cells, and the panes
// or the queue by which they close.
type viewState struct {
	def  *view.View
	id   []byte // def.ID
	hash [8]byte
	cells
	panes panes // of tumbling and hopping windows
	queue queue // of sessions

	retracted []retraction // by the transaction
}

// viewHash names a view in the changelog.
func viewHash(id string) (h [8]byte) {
	sum := sha256.Sum256([]byte(id))
	copy(h[:], sum[:])
	return h
}

// newViews makes the empty states of the views of a file, by id.
func newViews(f *view.File, keys *names) []viewState {
	defs := slices.Clone(f.Views)
	slices.SortFunc(defs, func(a, b view.View) int { return cmp.Compare(a.ID(), b.ID()) })
	views := make([]viewState, len(defs))
	for i := range defs {
		v := &views[i]
		v.def, v.id, v.hash = &defs[i], []byte(defs[i].ID()), viewHash(defs[i].ID())
		v.keys, v.asks = keys, asksOf(v.def)
		if v.isSession() {
			v.sessions = []session{}
		} else {
			v.panes = panes{overlap: v.def.Window.Size / v.def.Window.Hop, next: noStart}
		}
		if v.asks.any() {
			v.sketches = []sketches{}
		}
	}
	return views
}

func (v *viewState) isSession() bool { return v.def.Window.Kind == view.Session }

// span is the window that a cell stands for: of a session view, or of a view
// without overlap.
func (v *viewState) span(id uint32) view.Span {
	start := v.list[id].start
	if v.isSession() {
		return view.Span{Start: start, End: v.sessions[id].end}
	}
	return view.Span{Start: start, End: start + v.def.Window.Size}
}

// schedule makes anew what follows from the cells and the watermark.
func (v *viewState) schedule(watermark int64) {
	if v.isSession() {
		v.requeue()
	} else {
		v.panes.next = v.firstOpen(watermark)
	}
}

// closeAt is a watermark below which nothing of the view closes.
func (v *viewState) closeAt() int64 {
	switch {
	case v.isSession() && len(v.queue) > 0:
		return v.queue[0].end + v.def.Lateness
	case !v.isSession() && len(v.panes.open()) > 0:
		return v.nextWindow() + v.def.Window.Size + v.def.Lateness
	}
	return math.MaxInt64
}

func (v *viewState) commit() {
	v.cells.commit()
	v.panes.commit()
	v.retracted = v.retracted[:0]
}

func (v *viewState) rollback() {
	v.rollbackPanes()
	v.cells.rollback()
	v.retracted = v.retracted[:0]
}
