package engine

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// cell is one key in one open window: 64 bytes, a cache line.
type cell struct {
	agg    result.Plain
	key    uint32 // in table.keys
	window uint32 // in table.windows
	next   uint32 // the next cell of the window, plus one; 0 ends the list
	touch  uint32 // its entry in table.touched, plus one; 0 if untouched in this transaction
	later  uint32 // a guess: the key's cell in the window one hop later, plus one
}

type window struct {
	start  int64
	first  uint32 // of its cells, plus one
	cells  uint32
	view   uint8 // in table.views
	closed bool  // in this transaction
	fresh  bool  // opened in this transaction
}

// openWindows are the windows of one view that have at least one cell.
type openWindows struct {
	def  *view.View
	id   []byte       // def.ID
	list []openWindow // by start
	hint int          // where the last search ended

	last int64 // the last start of Starts(t) that was asked for; saves the division
	some bool  // last is set

	before  []openWindow // list at the begin of the transaction
	changed bool         // before is set
}

type openWindow struct {
	start int64
	id    uint32
}

// table holds the open cells of all views. Ids of cells and windows are
// positions in the slices; freed ones are used again.
type table struct {
	keys        names // refs counts a key's cells
	views       []openWindows
	windows     []window
	freeWindows []uint32
	cells       []cell
	freeCells   []uint32
	index       []uint32 // cell+1 by (window, key): linear probing, at most half full

	// The undo log of the transaction.
	touched []touch
	causes  []cause // of touched: the last record that touched the cell
	opened  []uint32
	closed  []uint32 // windows
	leaving []uint32 // cells of closed windows, in the order of their final rows
}

type touch struct {
	before cell
	cell   uint32
	fresh  bool // the cell did not exist: before is empty
}

type cause struct{ offset, scheduled int64 }

func newTable(views []view.View) table {
	t := table{keys: newNames(), index: make([]uint32, 64)}
	for i := range views {
		t.views = append(t.views, openWindows{def: &views[i], id: []byte(views[i].ID())})
	}
	return t
}

func (t *table) len() int { return len(t.cells) - len(t.freeCells) }

// lastStart is the start of the last window that holds a time.
func (w *openWindows) lastStart(time int64) int64 {
	if !w.some || uint64(time-w.last) >= uint64(w.def.Window.Hop) {
		_, w.last = w.def.Window.Starts(time)
		w.some = true
	}
	return w.last
}

// position is where start is in the list, or where it would be inserted.
func (w *openWindows) position(start int64) int {
	if w.hint < len(w.list) && w.list[w.hint].start == start {
		return w.hint
	}
	w.hint, _ = slices.BinarySearchFunc(w.list, start, func(o openWindow, start int64) int { return cmp.Compare(o.start, start) })
	return w.hint
}

// remember keeps the list as it was before the transaction's first change.
func (w *openWindows) remember() {
	if !w.changed {
		w.changed, w.before = true, append(w.before[:0], w.list...)
	}
}

// at returns the window with this start, which belongs at position i of the
// view's list, and opens it if it is not open.
func (t *table) at(v, i int, start int64) uint32 {
	w := &t.views[v]
	if i < len(w.list) && w.list[i].start == start {
		return w.list[i].id
	}
	w.remember()
	var id uint32
	if k := len(t.freeWindows); k > 0 {
		id, t.freeWindows = t.freeWindows[k-1], t.freeWindows[:k-1]
	} else {
		id = uint32(len(t.windows))
		t.windows = append(t.windows, window{})
	}
	t.windows[id] = window{start: start, view: uint8(v), fresh: true}
	t.opened = append(t.opened, id)
	w.list = slices.Insert(w.list, i, openWindow{start, id})
	return id
}

func (t *table) slot(window, key uint32) uint64 {
	h := (uint64(window)<<32 | uint64(key)) * 0x9e3779b97f4a7c15
	return (h ^ h>>32) & uint64(len(t.index)-1)
}

func (t *table) find(window, key uint32) (id uint32, ok bool) {
	mask := uint64(len(t.index) - 1)
	for i := t.slot(window, key); ; i = (i + 1) & mask {
		s := t.index[i]
		if s == 0 {
			return 0, false
		}
		if c := &t.cells[s-1]; c.key == key && c.window == window {
			return s - 1, true
		}
	}
}

// insert makes an empty cell, which is not there yet. It is not part of the
// undo log.
func (t *table) insert(window, key uint32) uint32 {
	if 2*(t.len()+1) > len(t.index) {
		t.grow()
	}
	var id uint32
	if k := len(t.freeCells); k > 0 {
		id, t.freeCells = t.freeCells[k-1], t.freeCells[:k-1]
	} else {
		id = uint32(len(t.cells))
		t.cells = append(t.cells, cell{})
	}
	w := &t.windows[window]
	t.cells[id] = cell{key: key, window: window, next: w.first}
	w.first = id + 1
	w.cells++
	t.keys.list[key].refs++
	t.put(id)
	return id
}

func (t *table) put(id uint32) {
	mask := uint64(len(t.index) - 1)
	i := t.slot(t.cells[id].window, t.cells[id].key)
	for t.index[i] != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = id + 1
}

func (t *table) grow() {
	old := t.index
	t.index = make([]uint32, 2*len(old))
	for _, s := range old {
		if s != 0 {
			t.put(s - 1)
		}
	}
}

// remove frees a cell, and its key with the last of its cells. The list of the
// window's cells is the caller's business.
func (t *table) remove(id uint32) {
	c := &t.cells[id]
	mask := uint64(len(t.index) - 1)
	i := t.slot(c.window, c.key)
	for t.index[i] != id+1 {
		i = (i + 1) & mask
	}
	shiftBack(t.index, i, func(s uint32) uint64 { return t.slot(t.cells[s-1].window, t.cells[s-1].key) })
	t.windows[c.window].cells--
	if k := &t.keys.list[c.key]; k.refs > 1 {
		k.refs--
	} else {
		t.keys.remove(c.key)
	}
	*c = cell{key: math.MaxUint32} // so that no guess finds it
	t.freeCells = append(t.freeCells, id)
}

// fold adds a value to the cells of a key in the windows of a view from start to
// last; i is where start belongs in the view's list. It returns how many cells
// these are and how many of them are new.
func (t *table) fold(v, i int, start, last int64, key uint32, value int64, by cause) (all, fresh uint64) {
	hop := t.views[v].def.Window.Hop
	var guess, previous uint32 // cells, plus one
	for ; start <= last; i, start = i+1, start+hop {
		window := t.at(v, i, start)
		id := guess - 1
		if guess == 0 || t.cells[id].key != key || t.cells[id].window != window {
			var ok bool
			if id, ok = t.find(window, key); !ok {
				id = t.insert(window, key)
				t.touch(id, true)
				fresh++
			}
			if previous != 0 { // which is touched, so a rollback takes this back
				t.cells[previous-1].later = id + 1
			}
		}
		c := &t.cells[id]
		if c.touch == 0 {
			t.touch(id, false)
		}
		t.causes[c.touch-1] = by
		c.agg.Add(value)
		all++
		guess, previous = c.later, id+1
	}
	return all, fresh
}

func (t *table) touch(id uint32, fresh bool) {
	t.touched = append(t.touched, touch{cell: id, fresh: fresh, before: t.cells[id]})
	t.causes = append(t.causes, cause{})
	t.cells[id].touch = uint32(len(t.touched))
}

// close takes the first window off a view's list and returns its cells by key.
// They live on until the transaction is over.
func (t *table) close(v int) (w *window, cells []uint32) {
	o := &t.views[v]
	o.remember()
	id := o.list[0].id
	o.list, o.hint = slices.Delete(o.list, 0, 1), 0
	w = &t.windows[id]
	w.closed = true
	t.closed = append(t.closed, id)
	from := len(t.leaving)
	for c := w.first; c != 0; c = t.cells[c-1].next {
		t.leaving = append(t.leaving, c-1)
	}
	cells = t.leaving[from:]
	slices.SortFunc(cells, func(a, b uint32) int {
		return bytes.Compare(t.keys.text(t.cells[a].key), t.keys.text(t.cells[b].key))
	})
	return w, cells
}

func (t *table) commit() {
	for i := range t.touched {
		t.cells[t.touched[i].cell].touch = 0
	}
	for _, id := range t.opened {
		t.windows[id].fresh = false
	}
	for _, id := range t.leaving {
		t.remove(id)
	}
	t.freeWindows = append(t.freeWindows, t.closed...)
	t.forget()
}

func (t *table) rollback() {
	for i := len(t.touched) - 1; i >= 0; i-- { // newest first: they head their windows' lists
		u := &t.touched[i]
		if !u.fresh {
			t.cells[u.cell] = u.before
			continue
		}
		c := &t.cells[u.cell]
		t.windows[c.window].first = c.next
		t.remove(u.cell)
	}
	for _, id := range t.closed {
		t.windows[id].closed = false
	}
	for v := range t.views {
		if w := &t.views[v]; w.changed {
			w.list, w.before, w.hint = w.before, w.list, 0
		}
	}
	t.freeWindows = append(t.freeWindows, t.opened...)
	t.forget()
}

func (t *table) forget() {
	for v := range t.views {
		t.views[v].changed = false
	}
	t.touched, t.causes = t.touched[:0], t.causes[:0]
	t.opened, t.closed, t.leaving = t.opened[:0], t.closed[:0], t.leaving[:0]
}
