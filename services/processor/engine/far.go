package engine

import (
	"slices"
	"sort"
)

// reach is how many cells a search may walk from the hint. A key whose clocks
// are wild has cells by the thousand in the far future; where such a walk ends,
// a milestone is set, so that the next one has a near place to begin at.
const reach = 16

// seekFar seeks from a milestone on. The hint stays where most events are.
func (c *cells) seekFar(key uint32, start int64) (before, after uint32) {
	list := c.far[key]
	i := sort.Search(len(list), func(i int) bool { return c.list[list[i]].start > start })
	at := c.hint[key]
	if len(list) > 0 {
		at = list[max(i-1, 0)] + 1
	}
	const endless = 1 << 62
	before, after, left := c.walk(at, start, endless)
	if endless-left > reach {
		end := before
		if end == 0 {
			end = after
		}
		if j := sort.Search(len(list), func(i int) bool { return c.list[list[i]].start >= c.list[end-1].start }); j == len(list) || list[j] != end-1 {
			if c.far == nil {
				c.far = map[uint32][]uint32{}
			}
			c.far[key] = slices.Insert(list, j, end-1)
		}
	}
	return before, after
}

// forgetMilestone is to be called while the cell has its place in time.
func (c *cells) forgetMilestone(key, id uint32) {
	list := c.far[key]
	start := c.list[id].start
	i := sort.Search(len(list), func(i int) bool { return c.list[list[i]].start >= start })
	if i == len(list) || list[i] != id {
		return
	}
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(c.far, key)
	} else {
		c.far[key] = list
	}
}
