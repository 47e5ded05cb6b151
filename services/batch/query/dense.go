package query

import (
	"math"
	"slices"
)

// dense folds rows into blocks: a window's block has a cell for each key, so that an
// event costs no search. Cells are addressed by the keys' numbers and not by the
// codes of a dictionary, so that they outlive a row group.
type dense struct {
	grid
	blocks []int32 // by window, the first cell of its block; -1: none
	opened []int32 // the windows that have one
	stride int     // cells of a block
	cells  []cell
	room   int // most cells
	rows   int // since the last flush
}

func newDense(hop int64, room int) *dense {
	d := &dense{grid: newGrid(hop), room: room, cells: make([]cell, 0, room)}
	d.blocks = make([]int32, d.windows)
	for i := range d.blocks {
		d.blocks[i] = -1
	}
	return d
}

// widen gives blocks for so many keys; it is called when there are none.
func (d *dense) widen(keys int) { d.stride = keys + keys/4 + 1 }

// add folds rows until one falls outside of the grid, or needs a block for which
// there is no room, and returns how many it folded. Values fit 32 bits; numbers are
// the keys' by code, below the stride.
func (d *dense) add(times []int64, codes []int32, values []int64, numbers []uint32) int {
	codes, values = codes[:len(times)], values[:len(times)]
	cells := d.cells
	for i, t := range times {
		w := d.window(t)
		if w >= uint64(len(d.blocks)) {
			d.rows += i
			return i
		}
		at := d.blocks[w]
		if at < 0 {
			if at = d.open(w); at < 0 {
				d.rows += i
				return i
			}
			cells = d.cells
		}
		c := &cells[int(at)+int(numbers[codes[i]])]
		v := int32(values[i])
		c.sum += int64(v)
		c.count++
		// Branches that are rarely taken: two stores less.
		if v < c.min {
			c.min = v
		}
		if v > c.max {
			c.max = v
		}
	}
	d.rows += len(times)
	return len(times)
}

// open gives a window its block; -1 when there is no room.
func (d *dense) open(window uint64) int32 {
	at := len(d.cells)
	if at+d.stride > d.room {
		return -1
	}
	d.cells = d.cells[:at+d.stride]
	for i := range d.cells[at:] {
		d.cells[at+i] = cell{min: math.MaxInt32, max: math.MinInt32}
	}
	d.blocks[window] = int32(at)
	d.opened = append(d.opened, int32(window))
	return int32(at)
}

// flush moves the cells into a run and leaves none.
func (d *dense) flush(into *run) {
	slices.Sort(d.opened)
	used := 0
	for i := range d.cells {
		if d.cells[i].count > 0 {
			used++
		}
	}
	into.cells = make([]cell, 0, used)
	for _, w := range d.opened {
		at := d.blocks[w]
		d.blocks[w] = -1
		from := len(into.cells)
		block := d.cells[at : int(at)+d.stride]
		for key := range block {
			if c := &block[key]; c.count > 0 {
				c.key = uint32(key)
				into.cells = append(into.cells, *c)
			}
		}
		into.close(d.base+int64(w)*d.hop, from)
	}
	d.opened, d.cells, d.rows = d.opened[:0], d.cells[:0], 0
}
