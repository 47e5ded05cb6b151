package engine

import (
	"cmp"
	"math/bits"
	"slices"

	"parallax.example/internal/view"
)

// Seqs of a block.
const blockSeqs = 4096

// block has one bit per seq.
type block [blockSeqs / 64]uint64

// dedup remembers the ids of a partition: per producer its largest seq, and the
// blocks of seqs that are not stale. Blocks below the horizon are dropped.
type dedup struct {
	names     names
	producers []producer // by id in names
	blocks    []block
	owners    []owner // of blocks
	free      []uint32
	size      dedupSize

	last struct { // the block that was asked for last
		producer, slot uint32
		number         uint64
		ok             bool
	}

	// The undo log of the transaction.
	touched []touchedProducer
	refs    []blockRef // for touched: lists as they were
	marked  []touchedBlock
	images  []block // for marked: those that existed, in order
	dropped []uint32
	before  dedupSize
}

// dedupSize tells by three sums whether a restored state is whole.
type dedupSize struct {
	blocks  uint64
	ids     uint64 // bits set
	largest uint64 // sum over the producers, modulo 2^64
}

type producer struct {
	largest uint64
	known   bool       // largest is set; false only while a changelog is being loaded
	blocks  []blockRef // by number
	touch   uint32     // its entry in dedup.touched, plus one
}

type blockRef struct {
	number uint64 // seq / blockSeqs
	slot   uint32 // in dedup.blocks
}

type owner struct {
	number   uint64
	producer uint32
	touch    uint32 // its entry in dedup.marked, plus one
	dropped  bool   // in this transaction
}

type touchedProducer struct {
	largest  uint64
	from, to int // of dedup.refs
	id       uint32
	fresh    bool
	listed   bool // from and to are set
}

type touchedBlock struct {
	slot  uint32
	image uint32 // in dedup.images
	fresh bool
}

func newDedup() dedup { return dedup{names: newNames()} }

// decision about an id.
type decision uint8

const (
	first decision = iota
	duplicate
	stale
)

// admit decides on an id and remembers it when it is the first.
func (d *dedup) admit(name []byte, seq uint64) decision {
	id, known := d.producer(name)
	if known {
		if largest := d.producers[id].largest; largest > seq && largest-seq > view.Horizon {
			return stale
		}
	} else {
		id = d.addProducer(name)
		d.touch(id, true)
	}
	number, bit := seq/blockSeqs, seq%blockSeqs
	slot := d.block(id, number)
	word, mask := bit/64, uint64(1)<<(bit%64)
	if d.blocks[slot][word]&mask != 0 {
		return duplicate
	}
	d.mark(slot)
	d.blocks[slot][word] |= mask
	d.size.ids++
	if p := &d.producers[id]; !p.known || seq > p.largest {
		d.touch(id, false)
		d.size.largest += seq - p.largest
		p.largest, p.known = seq, true
		d.drop(id)
	}
	return first
}

func (d *dedup) producer(name []byte) (id uint32, ok bool) {
	if d.last.ok && string(d.names.text(d.last.producer)) == string(name) {
		return d.last.producer, true
	}
	return d.names.find(name)
}

func (d *dedup) addProducer(name []byte) uint32 {
	id := d.names.add(name)
	if int(id) == len(d.producers) {
		d.producers = append(d.producers, producer{})
	}
	p := &d.producers[id]
	*p = producer{blocks: p.blocks[:0]}
	return id
}

// block finds a producer's block, or makes an empty one.
func (d *dedup) block(id uint32, number uint64) uint32 {
	l := &d.last
	if l.ok && l.producer == id && l.number == number {
		return l.slot
	}
	p := &d.producers[id]
	i, ok := p.find(number)
	if !ok {
		d.list(id)
		slot := d.addBlock(id, number)
		d.owners[slot].touch = d.markFresh(slot)
		p.blocks = slices.Insert(p.blocks, i, blockRef{number, slot})
	}
	l.producer, l.number, l.slot, l.ok = id, number, p.blocks[i].slot, true
	return l.slot
}

// find returns where in the list a block is or belongs.
func (p *producer) find(number uint64) (i int, ok bool) {
	return slices.BinarySearchFunc(p.blocks, number, func(r blockRef, number uint64) int { return cmp.Compare(r.number, number) })
}

func (d *dedup) addBlock(id uint32, number uint64) (slot uint32) {
	if k := len(d.free); k > 0 {
		slot, d.free = d.free[k-1], d.free[:k-1]
		d.blocks[slot] = block{}
	} else {
		slot = uint32(len(d.blocks))
		d.blocks = append(d.blocks, block{})
		d.owners = append(d.owners, owner{})
	}
	d.owners[slot] = owner{number: number, producer: id}
	d.size.blocks++
	return slot
}

// drop lets go of the blocks of which every seq is stale.
func (d *dedup) drop(id uint32) {
	p := &d.producers[id]
	if p.largest < view.Horizon {
		return
	}
	low := (p.largest - view.Horizon) / blockSeqs // the first block with a seq that is not stale
	n := 0
	for n < len(p.blocks) && p.blocks[n].number < low {
		n++
	}
	if n == 0 {
		return
	}
	d.list(id)
	for _, r := range p.blocks[:n] {
		d.dropped = append(d.dropped, r.slot)
		d.owners[r.slot].dropped = true
		d.size.ids -= d.blocks[r.slot].len()
	}
	d.size.blocks -= uint64(n)
	p.blocks = slices.Delete(p.blocks, 0, n)
	d.last.ok = false
}

func (b *block) len() (n uint64) {
	for _, w := range b {
		n += uint64(bits.OnesCount64(w))
	}
	return n
}

// touch remembers a producer as it was.
func (d *dedup) touch(id uint32, fresh bool) *touchedProducer {
	p := &d.producers[id]
	if p.touch == 0 {
		d.touched = append(d.touched, touchedProducer{id: id, largest: p.largest, fresh: fresh})
		p.touch = uint32(len(d.touched))
	}
	return &d.touched[p.touch-1]
}

// list remembers a producer's list of blocks as it was.
func (d *dedup) list(id uint32) {
	u := d.touch(id, false)
	if u.listed {
		return
	}
	u.listed, u.from = true, len(d.refs)
	d.refs = append(d.refs, d.producers[id].blocks...)
	u.to = len(d.refs)
}

// mark remembers a block as it was.
func (d *dedup) mark(slot uint32) {
	if d.owners[slot].touch != 0 {
		return
	}
	d.marked = append(d.marked, touchedBlock{slot: slot, image: uint32(len(d.images))})
	d.images = append(d.images, d.blocks[slot])
	d.owners[slot].touch = uint32(len(d.marked))
}

func (d *dedup) markFresh(slot uint32) uint32 {
	d.marked = append(d.marked, touchedBlock{slot: slot, fresh: true})
	return uint32(len(d.marked))
}

func (d *dedup) begin() { d.before = d.size }

func (d *dedup) commit() {
	for _, u := range d.touched {
		d.producers[u.id].touch = 0
	}
	for _, m := range d.marked {
		d.owners[m.slot].touch = 0
	}
	d.free = append(d.free, d.dropped...)
	d.forget()
}

func (d *dedup) rollback() {
	for _, slot := range d.dropped {
		d.owners[slot].dropped = false
	}
	for _, m := range d.marked {
		d.owners[m.slot].touch = 0
		if m.fresh {
			d.free = append(d.free, m.slot)
		} else {
			d.blocks[m.slot] = d.images[m.image]
		}
	}
	for _, u := range d.touched {
		p := &d.producers[u.id]
		p.touch, p.largest = 0, u.largest
		if u.listed {
			p.blocks = append(p.blocks[:0], d.refs[u.from:u.to]...)
		}
		if u.fresh {
			d.names.remove(u.id)
		}
	}
	d.size = d.before
	d.forget()
}

func (d *dedup) forget() {
	d.last.ok = false
	d.touched, d.refs, d.marked = d.touched[:0], d.refs[:0], d.marked[:0]
	d.images, d.dropped = d.images[:0], d.dropped[:0]
}
