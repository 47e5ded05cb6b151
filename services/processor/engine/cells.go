package engine

import (
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
)

// cell is one key in one pane or session: 64 bytes, a cache line.
type cell struct {
	agg     result.Plain
	start   int64  // of the pane or session, µs UTC
	key     uint32 // in cells.keys
	earlier uint32 // the key's cell before this one in time, plus one; 0 ends the list
	later   uint32 // the one after it, plus one
	touch   uint32 // its entry in cells.touched, plus one; 0 if untouched in this transaction
}

// session is what a cell of a session view has besides.
type session struct {
	end    int64
	queued int64 // the end that its one valid entry in the queue has; 0 once it is closed or merged away
	told   bool  // a committed transaction has emitted a row under this start
}

// cells are the open cells of one view. Ids are positions in the slices; freed
// ones are used again. The cells of a key form a list in time order, which is
// entered at the cell touched last: events come in about that order.
type cells struct {
	keys     *names // of all views
	list     []cell
	free     []uint32
	hint     []uint32            // by key: one of its cells, plus one; 0 if it has none
	firsts   []uint32            // by key: its first cell, plus one; 0 if it has none
	far      map[uint32][]uint32 // by key: milestones, see far.go
	sessions []session           // as list; of a session view only
	sketches []sketches          // as list; only if the view asks for some
	asks     asks
	encoded  uint64 // sum of sketches.encoded

	// The undo log of the transaction.
	touched []touched
	causes  []cause    // of touched: the last record that entered the cell
	images  []sketches // of touched: those that were there before, in order
	steps   []step
	before  uint64 // encoded at its begin
}

// touched is a cell as it was before the transaction.
type touched struct {
	agg     result.Plain
	start   int64
	end     int64
	cell    uint32
	image   uint32 // in images
	told    bool
	fresh   bool // the cell did not exist
	removed bool // in this transaction
}

// cause is the record of the input that made something happen.
type cause struct{ offset, scheduled int64 }

// step is a change of the lists, to be undone in reverse order.
type step struct {
	cell    uint32
	removed bool // else inserted
}

func (c *cells) len() int { return len(c.list) - len(c.free) }

// near returns a cell of the key to begin a search at, plus one, or 0.
func (c *cells) near(key uint32) uint32 {
	if int(key) < len(c.hint) {
		return c.hint[key]
	}
	return 0
}

// seek returns the last cell of a key that does not start after a time, and the
// one after it; both plus one, 0 if there is none.
func (c *cells) seek(key uint32, start int64) (before, after uint32) {
	before, after, steps := c.walk(c.near(key), start, reach)
	switch {
	case steps < 0:
		return c.seekFar(key, start)
	case before != 0:
		c.hint[key] = before
	}
	return before, after
}

// walk seeks from a cell on, at most so many steps; it returns how many are
// left, below 0 if they did not suffice.
func (c *cells) walk(at uint32, start int64, steps int) (before, after uint32, left int) {
	for ; at != 0 && c.list[at-1].start > start; steps-- {
		if steps < 0 {
			return 0, 0, steps
		}
		at, after = c.list[at-1].earlier, at
	}
	if at == 0 || after != 0 {
		return at, after, steps
	}
	for ; ; steps-- {
		if after = c.list[at-1].later; after == 0 || c.list[after-1].start > start {
			return at, after, steps
		}
		if steps < 0 {
			return 0, 0, steps
		}
		at = after
	}
}

// insert makes an empty cell between two of its key.
func (c *cells) insert(key uint32, start int64, before, after uint32) uint32 {
	id := c.add(key, start)
	c.link(id, before, after)
	c.steps = append(c.steps, step{cell: id})
	c.remember(id, true)
	return id
}

// add makes an empty cell that is in no list yet.
func (c *cells) add(key uint32, start int64) (id uint32) {
	if k := len(c.free); k > 0 {
		id, c.free = c.free[k-1], c.free[:k-1]
	} else {
		id = uint32(len(c.list))
		c.list = append(c.list, cell{})
		if c.sessions != nil {
			c.sessions = append(c.sessions, session{})
		}
		if c.sketches != nil {
			c.sketches = append(c.sketches, sketches{})
		}
	}
	c.list[id] = cell{key: key, start: start}
	c.keys.list[key].refs++
	if n := int(key) + 1; n > len(c.hint) {
		c.hint = append(c.hint, make([]uint32, n-len(c.hint))...)
		c.firsts = append(c.firsts, make([]uint32, n-len(c.firsts))...)
	}
	return id
}

func (c *cells) link(id, before, after uint32) {
	o := &c.list[id]
	o.earlier, o.later = before, after
	c.relink(id)
}

// relink puts a cell back between those that were its neighbours.
func (c *cells) relink(id uint32) {
	o := &c.list[id]
	if o.earlier != 0 {
		c.list[o.earlier-1].later = id + 1
	} else {
		c.firsts[o.key] = id + 1
	}
	if o.later != 0 {
		c.list[o.later-1].earlier = id + 1
	}
	if c.hint[o.key] == 0 {
		c.hint[o.key] = id + 1
	}
	c.keys.opened(o.key)
}

// unlink takes a cell out of its list. It keeps its neighbours, for relink.
func (c *cells) unlink(id uint32) {
	o := &c.list[id]
	if o.earlier != 0 {
		c.list[o.earlier-1].later = o.later
	} else {
		c.firsts[o.key] = o.later
	}
	if o.later != 0 {
		c.list[o.later-1].earlier = o.earlier
	}
	if c.hint[o.key] == id+1 {
		c.hint[o.key] = o.later
		if o.later == 0 {
			c.hint[o.key] = o.earlier
		}
	}
	if len(c.far) > 0 {
		c.forgetMilestone(o.key, id)
	}
	c.keys.closed(o.key)
}

// remove ends a cell. It lives on until the transaction is over.
func (c *cells) remove(id uint32) {
	c.unlink(id)
	c.steps = append(c.steps, step{cell: id, removed: true})
	if t := c.list[id].touch; t != 0 {
		c.touched[t-1].removed = true
	}
}

// release frees a cell that is in no list, and its key with the last of its cells.
func (c *cells) release(id uint32) {
	o := &c.list[id]
	if k := &c.keys.list[o.key]; k.refs > 1 {
		k.refs--
	} else {
		c.keys.remove(o.key)
	}
	if c.sketches != nil {
		c.encoded -= uint64(c.sketches[id].encoded)
		c.sketches[id].clear(o.agg.Count)
	}
	*o = cell{key: noKey}
	c.free = append(c.free, id)
}

// noKey marks a free cell.
const noKey = 1<<32 - 1

// touch remembers a cell as it was, and who touches it now.
func (c *cells) touch(id uint32, by cause) {
	if c.list[id].touch == 0 {
		c.remember(id, false)
	}
	c.causes[c.list[id].touch-1] = by
}

func (c *cells) remember(id uint32, fresh bool) {
	o := &c.list[id]
	t := touched{cell: id, fresh: fresh, agg: o.agg, start: o.start}
	if c.sessions != nil {
		t.end, t.told = c.sessions[id].end, c.sessions[id].told
	}
	if c.sketches != nil && !fresh {
		t.image = uint32(len(c.images))
		c.images = slices.Grow(c.images, 1)[:t.image+1] // with the memory of an earlier image
		c.images[t.image].set(&c.sketches[id])
	}
	c.touched, c.causes = append(c.touched, t), append(c.causes, cause{})
	o.touch = uint32(len(c.touched))
}

// fold adds an event to a touched cell.
func (c *cells) fold(id uint32, e *event.Event) {
	c.list[id].agg.Add(e.Value)
	if c.sketches != nil {
		c.sketches[id].fold(c.asks, e)
	}
}

func (c *cells) commit() {
	for i := range c.touched {
		c.list[c.touched[i].cell].touch = 0
	}
	for _, s := range c.steps {
		if s.removed {
			c.release(s.cell)
		}
	}
	c.forget()
}

func (c *cells) rollback() {
	for i := range c.touched {
		t := &c.touched[i]
		o := &c.list[t.cell]
		o.touch = 0
		if t.fresh {
			continue
		}
		o.agg, o.start = t.agg, t.start
		if c.sessions != nil {
			c.sessions[t.cell].end, c.sessions[t.cell].told = t.end, t.told
		}
		if c.sketches != nil {
			c.sketches[t.cell], c.images[t.image] = c.images[t.image], c.sketches[t.cell]
		}
	}
	for i := len(c.steps) - 1; i >= 0; i-- {
		if s := c.steps[i]; s.removed {
			c.relink(s.cell)
		} else {
			c.unlink(s.cell)
			c.release(s.cell)
		}
	}
	c.encoded = c.before
	c.forget()
}

func (c *cells) forget() {
	c.before = c.encoded
	c.touched, c.causes, c.images, c.steps = c.touched[:0], c.causes[:0], c.images[:0], c.steps[:0]
}
