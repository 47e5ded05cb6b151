package batch

import (
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/internal/sketch"
	"parallax.example/internal/view"
)

// keyTable numbers the keys of a task, and translates the codes of a row
// group's dictionary, each value once.
type keyTable struct {
	names   [][]byte
	numbers map[string]int32
	byCode  []int32
	batch   []int32
}

// forget is called when another row group brings another dictionary.
func (k *keyTable) forget() { k.byCode = k.byCode[:0] }

func (k *keyTable) translate(codes []int32, d *parquet.Dictionary) []int32 {
	if k.numbers == nil {
		k.numbers = map[string]int32{}
	}
	for len(k.byCode) < d.Len() {
		name := d.Value(int32(len(k.byCode)))
		n, known := k.numbers[string(name)]
		if !known {
			n = int32(len(k.names))
			k.names = append(k.names, append([]byte(nil), name...))
			k.numbers[string(name)] = n
		}
		k.byCode = append(k.byCode, n)
	}
	if cap(k.batch) < len(codes) {
		k.batch = make([]int32, len(codes))
	}
	k.batch = k.batch[:len(codes)]
	for i, c := range codes {
		k.batch[i] = k.byCode[c]
	}
	return k.batch
}

// subjectTable hashes the subjects of a row group's dictionary, each once.
type subjectTable struct {
	byCode []uint64
	batch  []uint64
}

func (s *subjectTable) forget() { s.byCode = s.byCode[:0] }

func (s *subjectTable) translate(codes []int32, d *parquet.Dictionary) []uint64 {
	for len(s.byCode) < d.Len() {
		s.byCode = append(s.byCode, sketch.Hash(d.Value(int32(len(s.byCode)))))
	}
	s.batch = s.batch[:0]
	for _, c := range codes {
		s.batch = append(s.batch, s.byCode[c])
	}
	return s.batch
}

// cellTable is a flat hash table of cells: open addressing over numbers, so
// that an event costs a multiplication and, mostly, one cache line.
type cellTable struct {
	slots []int32 // cell number + 1, 0 for an empty slot
	ids   []cellID
	plain []result.Plain
	// By cell, as above; nil unless the view asks.
	quantiles []sketch.Histogram
	distinct  []sketch.Distinct
}

func newCellTable(v *view.View) cellTable {
	var t cellTable
	if v.AsksQuantiles() {
		t.quantiles = []sketch.Histogram{}
	}
	if v.AsksDistinct() {
		t.distinct = []sketch.Distinct{}
	}
	return t
}

// cellID packs pane, rank and key.
type cellID struct {
	row uint64 // pane · 2^12 + rank
	key int32
}

func (id cellID) hash() uint64 {
	h := (id.row*0x9e3779b97f4a7c15 ^ uint64(id.key)) * 0xd6e8feb86659fd93
	return h ^ h>>32
}

// at is the number of a cell.
func (t *cellTable) at(pane, rank int, key int32) int {
	if 2*len(t.ids) >= len(t.slots) {
		t.grow()
	}
	id := cellID{uint64(pane)<<12 | uint64(rank), key}
	mask := uint64(len(t.slots) - 1)
	for i := id.hash() & mask; ; i = (i + 1) & mask {
		n := t.slots[i]
		if n == 0 {
			t.ids = append(t.ids, id)
			t.plain = append(t.plain, result.Plain{})
			if t.quantiles != nil {
				t.quantiles = append(t.quantiles, sketch.Histogram{})
			}
			if t.distinct != nil {
				t.distinct = append(t.distinct, sketch.Distinct{})
			}
			t.slots[i] = int32(len(t.ids))
			return len(t.ids) - 1
		}
		if t.ids[n-1] == id {
			return int(n - 1)
		}
	}
}

func (t *cellTable) grow() {
	t.slots = make([]int32, max(1024, 2*len(t.slots)))
	mask := uint64(len(t.slots) - 1)
	for n, id := range t.ids {
		i := id.hash() & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = int32(n + 1)
	}
}

// each yields the cells in the order in which they were met. What they share
// with the table is not to be changed.
func (t *cellTable) each(yield func(pane, rank int, key int32, s *state)) {
	var s state
	for i, id := range t.ids {
		s.Plain = t.plain[i]
		if t.quantiles != nil {
			s.quantiles = t.quantiles[i]
		}
		if t.distinct != nil {
			s.distinct = t.distinct[i]
		}
		yield(int(id.row>>12), int(id.row&(1<<12-1)), id.key, &s)
	}
}
