package engine

import (
	"slices"
	"sort"
)

// reach is how many cells a search may walk from the hint. A key whose clocks
// are wild has cells by the thousand in the far future; where such a walk ends,
// a milestone is set, so that the next one has a near place to begin at.
const reach = 8

// seekFar seeks from a milestone on. The hint stays where most events are.
func (c *cells) seekFar(key uint32, start int64) (before, after uint32) {
	const endless = 1 << 62
	before, after, left := c.walk(c.nearest(key, start), start, endless)
	if endless-left > reach {
		end := before
		if end == 0 {
			end = after
		}
		c.setMilestone(key, end-1)
	}
	return before, after
}

// nearest returns the last milestone that does not start after a time, else the
// first, else the hint; plus one.
func (c *cells) nearest(key uint32, start int64) uint32 {
	list := c.far[key]
	if len(list) == 0 {
		return c.hint[key]
	}
	return list[max(c.milestone(key, start+1)-1, 0)] + 1
}

// milestone is the place in the list of the first milestone from a start on.
func (c *cells) milestone(key uint32, start int64) int {
	list := c.far[key]
	return sort.Search(len(list), func(i int) bool { return c.list[list[i]].start >= start })
}

func (c *cells) setMilestone(key, id uint32) {
	i := c.milestone(key, c.list[id].start)
	if list := c.far[key]; i < len(list) && list[i] == id {
		return
	}
	if c.far == nil {
		c.far = map[uint32][]uint32{}
	}
	c.far[key] = slices.Insert(c.far[key], i, id)
}

// forgetMilestone is to be called while the cell has its place in time.
func (c *cells) forgetMilestone(key, id uint32) {
	list := c.far[key]
	i := c.milestone(key, c.list[id].start)
	if i == len(list) || list[i] != id {
		return
	}
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(c.far, key)
	} else {
		c.far[key] = list
	}
}
