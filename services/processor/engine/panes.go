package engine

import (
	"cmp"
	"math"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// panes are the pieces of one hop of which a view's windows consist: an event
// enters one, whatever the overlap, and a window's row is the merge of its
// panes as of the moment it closes.
type panes struct {
	list    []pane     // by start; each has a cell
	expired int        // the first so many: no window over them is open, they leave with the transaction
	memory  [][]uint32 // for the lists of cells of new panes
	overlap int64      // panes of a window
	next    int64      // no window that starts before it is still to be closed

	runs runs  // of a view with overlap
	hint int   // where the last search ended
	last int64 // the last start of Starts(t) that was asked for; saves the division
	some bool  // last is set

	ahead []sum // scratch
	row   sum   // scratch
	out   sum   // scratch
}

// pane is [start, start+hop).
type pane struct {
	start int64
	cells []uint32
}

// noStart is below every start of a window.
const noStart = math.MinInt64 / 4

func (p *panes) open() []pane { return p.list[p.expired:] }

// paneOf is the start of the pane that holds a time.
func (v *viewState) paneOf(time int64) int64 {
	p := &v.panes
	if !p.some || uint64(time-p.last) >= uint64(v.def.Window.Hop) {
		_, p.last = v.def.Window.Starts(time)
		p.some = true
	}
	return p.last
}

// firstOpen is the start of the first window that is open at a watermark.
func (v *viewState) firstOpen(watermark int64) int64 {
	if watermark == NoWatermark {
		return noStart
	}
	_, closed := v.def.Window.Starts(watermark - v.def.Lateness - v.def.Window.Size)
	return closed + v.def.Window.Hop
}

// nextWindow is the start of the next window to close, if a pane is open.
func (v *viewState) nextWindow() int64 {
	w := &v.def.Window
	return max(v.panes.open()[0].start-w.Size+w.Hop, v.panes.next)
}

// at returns the pane with this start, and makes it if there is none.
func (p *panes) at(start int64) *pane {
	if p.hint >= len(p.list) || p.list[p.hint].start != start {
		i, ok := slices.BinarySearchFunc(p.list, start, func(p pane, start int64) int { return cmp.Compare(p.start, start) })
		if !ok {
			made := pane{start: start}
			if k := len(p.memory); k > 0 {
				made.cells, p.memory = p.memory[k-1][:0], p.memory[:k-1]
			}
			p.list = slices.Insert(p.list, i, made)
		}
		p.hint = i
	}
	return &p.list[p.hint]
}

// drop takes panes [from, to) off the list.
func (p *panes) drop(from, to int) {
	for _, d := range p.list[from:to] {
		p.memory = append(p.memory, d.cells)
	}
	p.list, p.hint = slices.Delete(p.list, from, to), 0
}

func (p *panes) commit() {
	p.drop(0, p.expired)
	p.expired = 0
}

// rollbackPanes is to be called while it is known which cells are fresh.
func (v *viewState) rollbackPanes() {
	if v.isSession() {
		return
	}
	p := &v.panes
	p.expired = 0
	p.runs.dropAll()
	for i := len(v.touched) - 1; i >= 0; i-- {
		if t := &v.touched[i]; t.fresh {
			made := p.at(t.start)
			made.cells = made.cells[:len(made.cells)-1]
		}
	}
	for i := len(p.list) - 1; i >= 0; i-- {
		if len(p.list[i].cells) == 0 {
			p.drop(i, i+1)
		}
	}
}

// place puts the event into its pane, for those of its windows that are open;
// for the others it is late.
func (e *Engine) place(v *viewState, stats *ViewStats, key *eventKey, out *Output) {
	w, ev := &v.def.Window, &e.record.Event
	start := v.paneOf(ev.Time)
	first := start - w.Size + w.Hop // of the windows over the pane
	placements := v.panes.overlap
	for ; placements > 0 && v.def.Closed(first+w.Size, e.clock.watermark); first += w.Hop {
		placements--
		stats.Late++
		e.excludeLate(v, view.Span{Start: first, End: first + w.Size}, out)
	}
	if placements == 0 {
		return
	}
	stats.Counted += uint64(placements)
	stats.Pending += uint64(placements)
	id, ok := v.find(key, start)
	if !ok {
		id = e.newPaneCell(v, key, start, first)
		stats.Cells++
	}
	if placements < v.panes.overlap {
		v.addToRun(key.id, start, ev)
	}
	v.touch(id, e.cause)
	v.fold(id, ev)
}

// find returns a key's cell with this start.
func (v *viewState) find(key *eventKey, start int64) (id uint32, ok bool) {
	if !key.known {
		return 0, false
	}
	at := v.near(key.id)
	if at == 0 || v.list[at-1].start != start {
		at, _ = v.seek(key.id, start)
		if at == 0 || v.list[at-1].start != start {
			return 0, false
		}
	}
	return at - 1, true
}

// newPaneCell makes a cell in a pane of which first is the first open window.
func (e *Engine) newPaneCell(v *viewState, key *eventKey, start, first int64) uint32 {
	id := e.intern(key)
	before, after := v.seek(id, start)
	cell := v.insert(id, start, before, after)
	p := v.panes.at(start)
	if p.cells = append(p.cells, cell); len(p.cells) == 1 {
		v.panes.next = max(v.panes.next, v.firstOpen(e.clock.watermark))
		e.closeAt = min(e.closeAt, first+v.def.Window.Size+v.def.Lateness)
	}
	return cell
}

// closeWindows emits the rows of the windows that the watermark has closed.
func (e *Engine) closeWindows(v *viewState, stats *ViewStats, out *Output) {
	w, p := &v.def.Window, &v.panes
	for len(p.open()) > 0 {
		start := v.nextWindow()
		if !v.def.Closed(start+w.Size, e.clock.watermark) {
			return
		}
		e.closeWindow(v, stats, start, out)
		p.next = start + w.Hop
		if first := p.open()[0]; first.start == start {
			for _, id := range first.cells {
				v.remove(id)
				if key := v.list[id].key; v.firsts[key] == 0 {
					p.runs.drop(key)
				}
			}
			stats.Cells -= uint64(len(first.cells))
			p.expired++
		}
	}
}

// closeWindow emits the final row of each key of a window. What lay before the
// window is gone, so a key that is in it has its first cell there.
func (e *Engine) closeWindow(v *viewState, stats *ViewStats, start int64, out *Output) {
	span := view.Span{Start: start, End: start + v.def.Window.Size}
	if v.panes.overlap == 1 {
		for _, id := range v.panes.open()[0].cells {
			stats.Pending -= v.list[id].agg.Count
			e.rowOf(v, id, span, result.Final, e.cause, out)
		}
		return
	}
	emit := func(key uint32) {
		row := v.windowSum(key, span.End)
		stats.Pending -= row.plain.Count
		e.emit(v, key, span, &row.plain, &row.sketches, result.Final, e.cause, out)
	}
	inside, cells := v.panes.before(span.End)
	if cells >= len(v.firsts) {
		for key, first := range v.firsts {
			if first != 0 && v.list[first-1].start < span.End {
				emit(uint32(key))
			}
		}
		return
	}
	for _, p := range inside { // few cells in a window must not cost a pass over all keys
		for _, id := range p.cells {
			if key := v.list[id].key; v.firsts[key] == id+1 {
				emit(key)
			}
		}
	}
}

// before returns the open panes that start before a time, and how many cells
// they have.
func (p *panes) before(end int64) (inside []pane, cells int) {
	inside = p.open()
	for i := range inside {
		if inside[i].start >= end {
			return inside[:i], cells
		}
		cells += len(inside[i].cells)
	}
	return inside, cells
}

// updateWindows emits a row of each open window over a touched pane; a window
// over several of a key's is told of with the first of them.
func (e *Engine) updateWindows(v *viewState, out *Output) {
	w := &v.def.Window
	open := v.firstOpen(e.clock.watermark)
	for i := range v.touched {
		t := &v.touched[i]
		if t.removed {
			continue
		}
		c := &v.list[t.cell]
		if v.panes.overlap == 1 {
			span := v.span(t.cell)
			e.rowOf(v, t.cell, span, e.stage(span), v.causes[i], out)
			continue
		}
		first := max(open, c.start-w.Size+w.Hop)
		for at := c.earlier; at != 0 && v.list[at-1].start >= first; at = v.list[at-1].earlier {
			if v.list[at-1].touch != 0 {
				first = v.list[at-1].start + w.Hop
				break
			}
		}
		if first <= c.start {
			e.updateOverlapping(v, t.cell, first, out)
		}
	}
}

// updateOverlapping emits the rows of the windows over a cell's pane from the
// one that starts at first on. Each is a sum to the left of the cell, which
// grows as windows begin earlier, and one of those to its right.
func (e *Engine) updateOverlapping(v *viewState, id uint32, first int64, out *Output) {
	w, c := &v.def.Window, &v.list[id]
	right := v.rightSums(c.later, c.start+w.Size)
	left := &v.panes.row
	left.reset()
	at := id + 1
	for start := c.start; start >= first; start -= w.Hop {
		for ; at != 0 && v.list[at-1].start >= start; at = v.list[at-1].earlier {
			v.sum(left, at-1)
		}
		for len(right) > 0 && right[len(right)-1].start >= start+w.Size {
			right = right[:len(right)-1]
		}
		span, row := view.Span{Start: start, End: start + w.Size}, left
		if len(right) > 0 {
			row = &v.panes.out
			row.reset()
			v.join(row, left)
			v.join(row, &right[len(right)-1])
		}
		e.emit(v, c.key, span, &row.plain, &row.sketches, e.stage(span), row.by, out)
	}
}

// rightSums returns the running sums over a cell and those after it, up to a time.
func (v *viewState) rightSums(at uint32, end int64) []sum {
	v.panes.ahead = v.panes.ahead[:0]
	for ; at != 0 && v.list[at-1].start < end; at = v.list[at-1].later {
		s := extend(&v.panes.ahead)
		s.reset()
		if n := len(v.panes.ahead); n > 1 {
			v.join(s, &v.panes.ahead[n-2])
		}
		v.sum(s, at-1)
		s.start = v.list[at-1].start
	}
	return v.panes.ahead
}
