package engine

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// Open returns the open cells.
func (e *Engine) Open() map[result.Cell]result.Agg {
	open := map[result.Cell]result.Agg{}
	for _, s := range e.table.index {
		if s == 0 {
			continue
		}
		c := &e.table.cells[s-1]
		w := &e.table.windows[c.window]
		if w.closed {
			continue
		}
		def := e.table.views[w.view].def
		open[result.Cell{
			View: def.ID(), Key: string(e.table.keys.text(c.key)), Partition: e.partition,
			Span: view.Span{Start: w.start, End: w.start + def.Window.Size},
		}] = result.Agg{Plain: c.agg}
	}
	return open
}

// Dump writes the whole state down, in an order that does not depend on ids,
// and panics when the parts contradict each other or a freed part is lost. It
// is to be called outside of transactions.
func (e *Engine) Dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "next %d transaction %d source %q %d closeAt %d\nclock %d %d %d %v\nstats %+v\n",
		e.next, e.transaction, e.topicID, e.partitions, e.closeAt, e.clock.watermark, e.clock.believed, e.clock.seen, e.clock.ahead, e.Stats())
	b.WriteString(e.table.dump())
	b.WriteString(e.dedup.dump())
	return b.String()
}

func must(ok bool, what string) {
	if !ok {
		panic("the state contradicts itself: " + what)
	}
}

func (t *table) dump() string {
	var lines []string
	refs := map[uint32]int32{}
	listed, windows := 0, 0
	for v := range t.views {
		must(!t.views[v].changed, "undo log not empty")
		for _, o := range t.views[v].list {
			windows++
			w := &t.windows[o.id]
			must(w.start == o.start && int(w.view) == v && !w.closed && !w.fresh && w.cells > 0, "window")
			n := uint32(0)
			for id := w.first; id != 0; id = t.cells[id-1].next {
				c := &t.cells[id-1]
				found, ok := t.find(o.id, c.key)
				must(ok && found == id-1 && c.touch == 0, "index")
				refs[c.key]++
				n++
				lines = append(lines, fmt.Sprintf("cell %s %d %q %+v",
					t.views[v].def.ID(), w.start, t.keys.text(c.key), c.agg))
			}
			must(n == w.cells, "count of a window's cells")
			listed += int(n)
		}
	}
	must(listed == t.len(), "cells lost")
	must(windows == len(t.windows)-len(t.freeWindows), "windows lost")
	must(len(refs) == t.keys.len(), "keys lost")
	for key, n := range refs {
		must(t.keys.list[key].refs == n, "references of a key")
		id, ok := t.keys.find(t.keys.text(key))
		must(ok && id == key, "index of keys")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func (d *dedup) dump() string {
	must(len(d.touched)+len(d.marked)+len(d.dropped)+len(d.images)+len(d.refs) == 0, "undo log not empty")
	var lines []string
	var size dedupSize
	for _, s := range d.names.slots {
		if s == 0 {
			continue
		}
		p := &d.producers[s-1]
		must(p.known && p.touch == 0, "producer")
		size.largest += p.largest
		lines = append(lines, fmt.Sprintf("producer %q %d", d.names.text(s-1), p.largest))
		for _, r := range p.blocks {
			size.blocks++
			size.ids += d.blocks[r.slot].len()
			o := &d.owners[r.slot]
			must(o.number == r.number && o.producer == s-1 && o.touch == 0 && !o.dropped, "block")
			lines = append(lines, fmt.Sprintf("block %q %d %x", d.names.text(s-1), r.number, sha256.Sum256(appendBlock(nil, &d.blocks[r.slot]))))
		}
	}
	must(size == d.size, "sizes")
	must(int(size.blocks) == len(d.blocks)-len(d.free), "blocks lost")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// DecodeMeta returns the meta record of a changelog record, if it is one.
func DecodeMeta(key, value []byte) (Meta, bool) {
	if !bytes.Equal(key, appendMetaKey(nil)) {
		return Meta{}, false
	}
	m, err := decodeMeta(value)
	return m.Meta, err == nil
}

// CommitUnflushed ends a transaction without its output, to measure Apply alone.
func (e *Engine) CommitUnflushed() {
	e.flushed = true
	e.Commit()
}

// Capacity returns how many cells, keys and blocks there is memory for.
func (e *Engine) Capacity() (cells, keys, blocks int) {
	return len(e.table.cells), len(e.table.keys.list), len(e.dedup.blocks)
}

// CellSize is the memory of a cell in bytes.
const CellSize = unsafe.Sizeof(cell{})
