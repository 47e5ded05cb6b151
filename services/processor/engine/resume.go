package engine

import (
	"fmt"
	"slices"

	"parallax.example/internal/view"
)

// Where is the place in the input at which a restored state goes on.
type Where struct {
	Next        int64  // the next offset
	Transaction uint64 // the last one that was committed
	Watermark   int64  // that stood there, as far as is known
}

// Resumed is what the changelog of a resumed state says of itself.
type Resumed struct {
	Meta
	// Reach is the end of the input that the state may hold in part; Next if it is
	// whole.
	Reach int64
}

// Resume ends the loading like Loaded, of a changelog that was not written in
// one with the committed offset: its end may be torn, and it may have come to
// another offset than where the input goes on. The state is then what the
// changelog holds. Its totals are counted, not compared; what can only be the
// rest of a torn end is taken off: cells that the watermark has closed, and
// sessions inside another one.
//
// Input that the state holds already and that comes again is counted again,
// unless the ids of the state or a window's close keep it out. But a record moves
// the watermark once, so that it stays the one of the input's prefix. Of an empty
// changelog the Meta is zero. The error is a *ViewsError as that of Loaded.
func (e *Engine) Resume(at Where) (Resumed, error) {
	reach := int64(0)
	if e.load != nil {
		reach = e.load.reach
	}
	m, err := e.found()
	if err != nil {
		return Resumed{}, err
	}
	if e.load != nil {
		if err := e.compareViews(); err != nil {
			return Resumed{Meta: m.Meta}, err
		}
	}
	if err := e.collect(m); err != nil {
		return Resumed{}, fmt.Errorf("cannot restore the state as of transaction %d: %w", m.Transaction, err)
	}
	e.settle(m)
	e.load = nil
	e.next, e.transaction = at.Next, at.Transaction
	e.again, e.least = max(m.Next, m.again), at.Watermark
	m.Stats = e.Stats()
	return Resumed{m.Meta, max(reach, m.Next)}, nil
}

// found is the meta record that was loaded; an empty one if the very first
// transaction is torn, or nothing was written.
func (e *Engine) found() (*metaRecord, error) {
	if e.load != nil && e.load.meta != nil {
		return e.load.meta, nil
	}
	if e.load != nil && len(e.load.foreign) > 0 {
		return nil, errNoMeta
	}
	m := e.meta(0)
	m.Transaction = 0
	e.load = nil
	return m, nil
}

// collect makes the totals of what was loaded, and drops what is in its way.
func (e *Engine) collect(m *metaRecord) error {
	if e.load != nil {
		if err := e.checkTime(m); err != nil {
			return err
		}
		if err := e.checkForeign(m); err != nil {
			return err
		}
	}
	e.takeTotals(m)
	e.foreign = make(map[string]struct{})
	for i := range e.views {
		v, stats := &e.views[i], e.begun(i, m)
		e.dropClosed(v, m.Watermark)
		err := e.dropInner(v)
		if err == nil {
			stats.Cells, stats.Pending, err = v.count(m.Watermark)
		}
		if err != nil {
			return err
		}
		v.fillPanes()
	}
	e.collectIDs()
	return nil
}

// dropClosed takes off cells whose rows were told before the end was torn.
func (e *Engine) dropClosed(v *viewState, watermark int64) {
	for id := range v.list {
		if v.list[id].key != noKey && v.def.Closed(v.span(uint32(id)).End, watermark) {
			e.dropCell(v, uint32(id))
		}
	}
}

// dropInner takes off sessions that became part of another one.
func (e *Engine) dropInner(v *viewState) error {
	if !v.isSession() {
		return nil
	}
	for id := range v.list {
		if v.list[id].key == noKey {
			continue
		}
		own := v.span(uint32(id))
		for at := v.list[id].later; at != 0 && v.list[at-1].start < own.End; at = v.list[id].later {
			if inner := v.span(at - 1); inner.End > own.End {
				return fmt.Errorf("view %s has two sessions of one key that overlap, and neither is a part of the other: %v and %v", v.id, own, inner)
			}
			e.dropCell(v, at-1)
		}
	}
	return nil
}

// dropCell takes a cell off the state, and off the changelog with the next flush.
func (e *Engine) dropCell(v *viewState, id uint32) {
	c := &v.list[id]
	e.foreign[string(v.appendCellKey(nil, c.start, e.keys.text(c.key)))] = struct{}{}
	v.unlink(id)
	v.release(id)
}

// collectIDs makes the sums over the remembered ids, and drops blocks that are
// out of their producer's reach.
func (e *Engine) collectIDs() {
	d := &e.dedup
	d.size = dedupSize{}
	for id := range d.producers {
		p := &d.producers[id]
		if n := len(p.blocks); n > 0 {
			p.largest = max(p.largest, p.blocks[n-1].number*blockSeqs)
		}
		p.known = true
		d.size.largest += p.largest
		p.blocks = slices.DeleteFunc(p.blocks, func(r blockRef) bool {
			stale := p.largest >= view.Horizon && r.number < (p.largest-view.Horizon)/blockSeqs
			if stale {
				e.foreign[string(appendBlockKey(nil, r.number, d.names.text(uint32(id))))] = struct{}{}
				d.free = append(d.free, r.slot)
			} else {
				d.size.blocks++
				d.size.ids += d.blocks[r.slot].len()
			}
			return stale
		})
	}
}

// checkTime is what of checkClock holds for any meta record: records that came
// again are among the valid ones, and the clock has not seen them.
func (e *Engine) checkTime(m *metaRecord) error {
	plain := *m
	plain.again = 0
	plain.Valid = uint64(m.seen)
	plain.Stats.Records = plain.Valid + m.Duplicates + m.Stale + m.DeadLetters + m.Punctuation
	return e.checkClock(&plain)
}

// catchUp closes what the watermark has closed that stood where the state goes
// on, before the first record there.
func (e *Engine) catchUp(by cause, out *Output) {
	if e.least <= e.clock.watermark {
		return
	}
	e.clock.raise(e.least)
	if e.clock.watermark >= e.closeAt {
		e.cause = by
		e.close(out)
	}
}
