package engine

import (
	"bytes"
	"hash/maphash"
)

// names interns texts as dense ids: open addressing with linear probing over
// the ids, deletion by shifting back. An id that was removed is used again. The
// hash is seeded anew in each process; it decides on nothing but the speed.
type names struct {
	seed  maphash.Seed
	slots []uint32 // id+1; 0 is empty; a power of two, at most half full
	list  []name
	free  []uint32
	open  int // names with cells in lists
}

type name struct {
	text  []byte
	hash  uint64
	refs  int32 // cells, also those that leave with the transaction; kept by who needs it
	cells int32 // cells in lists
}

func newNames() names { return names{seed: maphash.MakeSeed(), slots: make([]uint32, 16)} }

// text returns the text of an id, valid until the id is removed.
func (n *names) text(id uint32) []byte { return n.list[id].text }

func (n *names) len() int { return len(n.list) - len(n.free) }

func (n *names) find(text []byte) (id uint32, ok bool) {
	h := maphash.Bytes(n.seed, text)
	mask := uint64(len(n.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := n.slots[i]
		if s == 0 {
			return 0, false
		}
		if e := &n.list[s-1]; e.hash == h && bytes.Equal(e.text, text) {
			return s - 1, true
		}
	}
}

// add interns a text that is not there yet.
func (n *names) add(text []byte) uint32 {
	if 2*(n.len()+1) > len(n.slots) {
		n.grow()
	}
	var id uint32
	if k := len(n.free); k > 0 {
		id, n.free = n.free[k-1], n.free[:k-1]
	} else {
		id = uint32(len(n.list))
		n.list = append(n.list, name{})
	}
	e := &n.list[id]
	e.text, e.hash, e.refs, e.cells = append(e.text[:0], text...), maphash.Bytes(n.seed, text), 0, 0
	n.put(id)
	return id
}

func (n *names) put(id uint32) {
	mask := uint64(len(n.slots) - 1)
	i := n.list[id].hash & mask
	for n.slots[i] != 0 {
		i = (i + 1) & mask
	}
	n.slots[i] = id + 1
}

func (n *names) grow() {
	old := n.slots
	n.slots = make([]uint32, 2*len(old))
	for _, s := range old {
		if s != 0 {
			n.put(s - 1)
		}
	}
}

func (n *names) remove(id uint32) {
	mask := uint64(len(n.slots) - 1)
	i := n.list[id].hash & mask
	for n.slots[i] != id+1 {
		i = (i + 1) & mask
	}
	shiftBack(n.slots, i, func(s uint32) uint64 { return n.list[s-1].hash })
	n.free = append(n.free, id)
}

// opened counts a cell of a name that came into a list.
func (n *names) opened(id uint32) {
	if n.list[id].cells++; n.list[id].cells == 1 {
		n.open++
	}
}

// closed counts a cell of a name that left its list.
func (n *names) closed(id uint32) {
	if n.list[id].cells--; n.list[id].cells == 0 {
		n.open--
	}
}

// shiftBack empties slot i of a linear probing table and moves up what was
// only behind it because of it.
func shiftBack(slots []uint32, i uint64, home func(slot uint32) uint64) {
	mask := uint64(len(slots) - 1)
	for j := (i + 1) & mask; slots[j] != 0; j = (j + 1) & mask {
		if (j-home(slots[j]))&mask >= (j-i)&mask {
			slots[i] = slots[j]
			i = j
		}
	}
	slots[i] = 0
}
