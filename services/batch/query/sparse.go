package query

import (
	"cmp"
	"slices"

	"parallax.example/internal/result"
)

// sparse folds rows into a hash table, open addressing: for keys that are too many
// for blocks, for times far apart, and for values beyond 32 bits.
type sparse struct {
	hop   int64
	slots []uint32 // place in cells + 1; 0: empty
	cells []sparseCell
}

type sparseCell struct {
	window int64 // its number
	wideCell
}

func (s *sparse) add(times []int64, codes []int32, values []int64, numbers []uint32) {
	window, start := int64(0), int64(0)
	for i, t := range times {
		if d := uint64(t - start); i == 0 || d >= uint64(s.hop) {
			window = floorDivide(t, s.hop)
			start = window * s.hop
		}
		s.at(window, numbers[codes[i]]).Add(values[i])
	}
}

func (s *sparse) at(window int64, key uint32) *result.Plain {
	if 2*len(s.cells) >= len(s.slots) {
		s.grow()
	}
	mask := uint64(len(s.slots) - 1)
	for i := hash(window, key) & mask; ; i = (i + 1) & mask {
		n := s.slots[i]
		if n == 0 {
			s.cells = append(s.cells, sparseCell{window, wideCell{key: key}})
			s.slots[i] = uint32(len(s.cells))
			return &s.cells[len(s.cells)-1].Plain
		}
		if c := &s.cells[n-1]; c.window == window && c.key == key {
			return &c.Plain
		}
	}
}

func hash(window int64, key uint32) uint64 {
	h := (uint64(window)*0x9e3779b97f4a7c15 ^ uint64(key)) * 0xd6e8feb86659fd93
	return h ^ h>>32
}

func (s *sparse) grow() {
	s.slots = make([]uint32, max(1024, 2*len(s.slots)))
	mask := uint64(len(s.slots) - 1)
	for n := range s.cells {
		i := hash(s.cells[n].window, s.cells[n].key) & mask
		for s.slots[i] != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = uint32(n + 1)
	}
}

// flush moves the cells into a run and leaves none.
func (s *sparse) flush(into *run) {
	slices.SortFunc(s.cells, func(a, b sparseCell) int {
		return cmp.Or(cmp.Compare(a.window, b.window), cmp.Compare(a.key, b.key))
	})
	for i := 0; i < len(s.cells); {
		window, from := s.cells[i].window, len(into.wide)
		for ; i < len(s.cells) && s.cells[i].window == window; i++ {
			into.wide = append(into.wide, s.cells[i].wideCell)
		}
		into.closeWide(window*s.hop, from)
	}
	s.cells = s.cells[:0]
	clear(s.slots)
}
