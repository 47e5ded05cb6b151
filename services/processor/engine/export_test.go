package engine

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// Open returns the rows of the open windows and sessions.
func (e *Engine) Open() map[result.Cell]result.Agg {
	folds := map[result.Cell]*result.Fold{}
	for i := range e.views {
		v := &e.views[i]
		for id := range v.list {
			if !v.lives(uint32(id)) {
				continue
			}
			for _, span := range v.openSpans(uint32(id), e.clock.watermark) {
				cell := result.Cell{View: string(v.id), Key: string(e.keys.text(v.list[id].key)), Partition: e.partition, Span: span}
				if folds[cell] == nil {
					folds[cell] = result.NewFold(v.def)
				}
				agg := v.agg(uint32(id))
				folds[cell].Row(&agg)
			}
		}
	}
	open := map[result.Cell]result.Agg{}
	for cell, f := range folds {
		open[cell] = f.Agg()
	}
	return open
}

// lives says that a cell is in use and does not leave with the transaction.
func (v *viewState) lives(id uint32) bool {
	return v.list[id].key != noKey && !slices.ContainsFunc(v.steps, func(s step) bool { return s.cell == id && s.removed })
}

func (v *viewState) openSpans(id uint32, watermark int64) (spans []view.Span) {
	if v.isSession() {
		return []view.Span{v.span(id)}
	}
	w := v.def.Window
	for first, start := w.Starts(v.list[id].start); start >= first; start -= w.Hop {
		if !v.def.Closed(start+w.Size, watermark) {
			spans = append(spans, view.Span{Start: start, End: start + w.Size})
		}
	}
	return spans
}

func (v *viewState) agg(id uint32) result.Agg {
	a := result.Agg{Plain: v.list[id].agg}
	if v.sketches != nil {
		s := &v.sketches[id]
		a.Quantiles, a.Distinct = string(s.quantiles.Append(nil)), string(s.distinct.Append(nil))
	}
	return a
}

// Dump writes the whole state down, in an order that does not depend on ids,
// and panics when the parts contradict each other or a freed part is lost. It
// is to be called outside of transactions.
func (e *Engine) Dump() string {
	var b strings.Builder
	stats := e.Stats()
	for i := range e.views {
		stats.Bytes -= e.RunBytes(i) // no part of the state
	}
	fmt.Fprintf(&b, "next %d transaction %d source %q %d\nclock %d %d %d %v\nstats %+v\n",
		e.next, e.transaction, e.topicID, e.partitions, e.clock.watermark, e.clock.believed, e.clock.seen, e.clock.ahead, stats)
	refs, known := map[uint32]int32{}, e.keys.len()
	closeAt := int64(math.MaxInt64)
	for i := range e.views {
		v := &e.views[i]
		b.WriteString(v.dump(refs, e.clock.watermark, &e.stats.Views[i]))
		for id := range v.list {
			if v.list[id].key != noKey {
				for _, s := range v.openSpans(uint32(id), e.clock.watermark) {
					closeAt = min(closeAt, s.End+v.def.Lateness)
				}
			}
		}
	}
	must(e.closeAt <= closeAt && (closeAt == math.MaxInt64 || e.clock.watermark < closeAt), "closeAt")
	must(len(refs) == known && e.keys.open == known, "keys lost")
	for key, n := range refs {
		must(e.keys.list[key].refs == n && e.keys.list[key].cells == n, "references of a key")
		id, ok := e.keys.find(e.keys.text(key))
		must(ok && id == key, "index of keys")
	}
	b.WriteString(e.dedup.dump())
	return b.String()
}

func must(ok bool, what string) {
	if !ok {
		panic("the state contradicts itself: " + what)
	}
}

func (v *viewState) dump(refs map[uint32]int32, watermark int64, stats *ViewStats) string {
	must(len(v.touched)+len(v.causes)+len(v.steps)+len(v.images)+len(v.retracted)+v.panes.expired == 0 && v.before == v.encoded, "undo log not empty")
	var lines []string
	byKey := map[uint32][]uint32{}
	var encoded, pending uint64
	for id := range v.list {
		c := &v.list[id]
		if c.key == noKey {
			continue
		}
		must(c.touch == 0, "a cell that is touched")
		refs[c.key]++
		byKey[c.key] = append(byKey[c.key], uint32(id))
		spans := v.openSpans(uint32(id), watermark)
		must(len(spans) > 0 && !v.def.Closed(spans[0].End, watermark), "a closed cell")
		pending += c.agg.Count * uint64(len(spans))
		told := false
		if v.isSession() {
			told = v.sessions[id].told
			must(v.sessions[id].queued > 0, "a session that is not queued")
			must(slices.Contains(v.queue, due{v.sessions[id].queued, uint32(id)}), "a session without its entry")
		}
		if v.sketches != nil {
			encoded += uint64(v.sketches[id].encoded)
		}
		lines = append(lines, fmt.Sprintf("cell %s %v %q %+v %v", v.id, spans[0], v.keys.text(c.key), v.agg(uint32(id)), told))
	}
	must(len(lines) == v.len() && len(lines) == int(stats.Cells), "cells lost")
	must(pending == stats.Pending && encoded == v.encoded, "totals")
	for key, ids := range byKey {
		v.checkList(key, ids)
	}
	for key := range v.hint {
		must(v.hint[key] == 0 && v.firsts[key] == 0 || len(byKey[uint32(key)]) > 0, "a hint without cells")
	}
	v.checkMilestones()
	if v.isSession() {
		must(len(v.panes.list) == 0, "panes of sessions")
	} else {
		v.checkPanes(len(lines))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func (v *viewState) checkList(key uint32, ids []uint32) {
	slices.SortFunc(ids, func(a, b uint32) int { return cmp.Compare(v.list[a].start, v.list[b].start) })
	before := uint32(0)
	for i, id := range ids {
		must(v.list[id].earlier == before, "earlier")
		if i > 0 {
			must(v.list[before-1].later == id+1 && v.list[before-1].start < v.list[id].start, "later")
			must(!v.isSession() || v.sessions[before-1].end <= v.list[id].start, "sessions overlap")
		}
		before = id + 1
	}
	must(v.list[before-1].later == 0, "the last cell of a key")
	must(v.firsts[key] == ids[0]+1, "the first cell of a key")
	hint := v.hint[key]
	must(hint != 0 && slices.Contains(ids, hint-1), "hint")
}

func (v *viewState) checkMilestones() {
	for key, list := range v.far {
		must(len(list) > 0, "no milestones")
		for i, id := range list {
			must(v.list[id].key == key && (i == 0 || v.list[list[i-1]].start < v.list[id].start), "milestone")
		}
	}
}

func (v *viewState) checkPanes(cells int) {
	v.panes.runs.check()
	for key, one := range v.panes.runs.of {
		must(one == nil || v.firsts[key] != 0, "a run of nothing")
	}
	n := 0
	for i, p := range v.panes.list {
		must(len(p.cells) > 0 && (i == 0 || v.panes.list[i-1].start < p.start), "pane")
		for _, id := range p.cells {
			must(v.list[id].key != noKey && v.list[id].start == p.start, "cell of a pane")
			n++
		}
	}
	must(n == cells, "cells in panes")
}

func (r *runs) check() {
	used, bytes := 0, uint64(0)
	for _, one := range slices.Concat(r.of, r.spare) {
		if one != nil {
			used++
			bytes += one.size()
		}
	}
	must(used == r.used+len(r.spare) && len(r.spare) <= r.used, "runs lost")
	must(bytes == r.bytes, "the memory of runs")
}

// RunBytes is what the runs of a view are counted to take.
func (e *Engine) RunBytes(view int) uint64 { return e.views[view].panes.runs.memory() }

func (d *dedup) dump() string {
	must(len(d.touched)+len(d.marked)+len(d.dropped)+len(d.images)+len(d.refs) == 0, "undo log not empty")
	var lines []string
	var size dedupSize
	for _, s := range d.names.slots {
		if s == 0 {
			continue
		}
		id := s.id()
		p := &d.producers[id]
		must(p.known && p.touch == 0, "producer")
		size.largest += p.largest
		lines = append(lines, fmt.Sprintf("producer %q %d", d.names.text(id), p.largest))
		for _, r := range p.blocks {
			size.blocks++
			size.ids += d.blocks[r.slot].len()
			o := &d.owners[r.slot]
			must(o.number == r.number && o.producer == id && o.touch == 0 && !o.dropped, "block")
			lines = append(lines, fmt.Sprintf("block %q %d %x", d.names.text(id), r.number, sha256.Sum256(appendBlock(nil, &d.blocks[r.slot]))))
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
	for i := range e.views {
		cells += len(e.views[i].list)
	}
	return cells, len(e.keys.list), len(e.dedup.blocks)
}

// Walked returns how many cells a search for a key's cell in the first view
// passes, and how many milestones there are.
func (e *Engine) Walked(key []byte, start int64) (steps, milestones int) {
	v := &e.views[0]
	id, _ := e.keys.find(key)
	_, _, left := v.walk(v.near(id), start, reach)
	if left < 0 {
		const many = 1 << 30
		_, _, second := v.walk(v.nearest(id, start), start, many)
		left -= many - second
	}
	return reach - left, len(v.far[id])
}

// CellSize is the memory of a cell in bytes.
const CellSize = unsafe.Sizeof(cell{})

// MustApply is Apply where no limit is set.
func (e *Engine) MustApply(b *Batch, out *Output) {
	if err := e.Apply(b, out); err != nil {
		panic(err)
	}
}
