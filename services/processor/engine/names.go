package engine

import (
	"bytes"
	"hash/maphash"
)

// names interns texts as dense ids: open addressing with linear probing over
// the ids, deletion by shifting back. An id that was removed is used again. The
// hash is seeded anew in each process; it decides on nothing but the speed.
//
// A search among a million names waits for memory twice: a slot holds enough of
// the hash to pass by other names, and a name holds its text unless it is long.
type names struct {
	seed  maphash.Seed
	slots []slot // a power of two, at most half full
	list  []name
	free  []uint32
	open  int // names with cells in lists
}

// slot is 32 bits of a name's hash above its id+1; 0 is empty.
type slot uint64

func (s slot) id() uint32 { return uint32(s) - 1 }

func (s slot) hash() uint64 { return uint64(s) >> 32 }

// name is 64 bytes, a cache line.
type name struct {
	refs  int32 // cells, also those that leave with the transaction; kept by who needs it
	cells int32 // cells in lists
	size  int32
	short [28]byte // the text if it is not longer
	long  []byte   // else
}

func newNames() names { return names{seed: maphash.MakeSeed(), slots: make([]slot, 16)} }

// text returns the text of an id, valid until the id is removed.
func (n *names) text(id uint32) []byte { return n.list[id].text() }

func (e *name) text() []byte {
	if int(e.size) <= len(e.short) {
		return e.short[:e.size]
	}
	return e.long
}

func (e *name) set(text []byte) {
	e.size = int32(len(text))
	if len(text) <= len(e.short) {
		copy(e.short[:], text)
	} else {
		e.long = append(e.long[:0], text...)
	}
}

func (n *names) len() int { return len(n.list) - len(n.free) }

func (n *names) hash(text []byte) uint64 { return maphash.Bytes(n.seed, text) >> 32 }

func (n *names) find(text []byte) (id uint32, ok bool) { return n.findHashed(text, n.hash(text)) }

func (n *names) findHashed(text []byte, h uint64) (id uint32, ok bool) {
	mask := uint64(len(n.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := n.slots[i]
		if s == 0 {
			return 0, false
		}
		if s.hash() == h && bytes.Equal(n.list[s.id()].text(), text) {
			return s.id(), true
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
	e.refs, e.cells = 0, 0
	e.set(text)
	n.put(slot(n.hash(text)<<32 | uint64(id+1)))
	return id
}

func (n *names) put(s slot) {
	mask := uint64(len(n.slots) - 1)
	i := s.hash() & mask
	for n.slots[i] != 0 {
		i = (i + 1) & mask
	}
	n.slots[i] = s
}

func (n *names) grow() {
	old := n.slots
	n.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s != 0 {
			n.put(s)
		}
	}
}

func (n *names) remove(id uint32) {
	mask := uint64(len(n.slots) - 1)
	i := n.hash(n.text(id)) & mask
	for n.slots[i].id() != id {
		i = (i + 1) & mask
	}
	n.empty(i)
	n.free = append(n.free, id)
}

// empty takes a slot's name out and moves up what was only behind it because of it.
func (n *names) empty(i uint64) {
	mask := uint64(len(n.slots) - 1)
	for j := (i + 1) & mask; n.slots[j] != 0; j = (j + 1) & mask {
		if (j-n.slots[j].hash())&mask >= (j-i)&mask {
			n.slots[i] = n.slots[j]
			i = j
		}
	}
	n.slots[i] = 0
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
