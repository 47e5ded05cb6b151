package engine

import (
	"fmt"
	"slices"

	"parallax.example/internal/view"
)

// loading is what Load keeps until Loaded.
type loading struct {
	meta  *metaRecord
	fault error // reported after the views were compared: another view may be its cause
}

// Load takes in one record of the changelog; records come in offset order, from
// a whole or a compacted log. A nil value is a tombstone. The engine must be
// new, and is of no use after an error.
func (e *Engine) Load(key, value []byte) error {
	if e.open || e.load == nil && (e.transaction > 0 || e.next > 0) {
		panic("BUG: Load into an engine that has begun")
	}
	if e.load == nil {
		e.load = &loading{}
	}
	k, err := decodeKey(key)
	if err == nil {
		switch k.kind {
		case kindMeta:
			err = e.loadMeta(value)
		case kindCell:
			err = e.loadCell(k, value)
		case kindProducer:
			err = e.loadProducer(k, value)
		case kindBlock:
			err = e.loadBlock(k, value)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot load the changelog record with key %q: %w", key[:min(len(key), 300)], err)
	}
	return nil
}

func (e *Engine) loadMeta(value []byte) error {
	m, err := decodeMeta(value)
	if err != nil {
		return err
	}
	e.load.meta = m
	return nil
}

func (e *Engine) loadCell(k stateKey, value []byte) error {
	t, start := &e.table, int64(k.number)
	if int(k.view) >= len(t.views) || !aligned(t.views[k.view].def, start) {
		if e.load.fault == nil {
			e.load.fault = fmt.Errorf("cannot place the cell of view %d, window start %d, key %q: no view has such a window", k.view, start, k.text)
		}
		return nil
	}
	w := &t.views[k.view]
	i := w.position(start)
	key, interned := t.keys.find(k.text)
	if value == nil {
		if !interned || i == len(w.list) || w.list[i].start != start {
			return nil // compaction may have taken the value already
		}
		window := w.list[i].id
		if id, ok := t.find(window, key); ok {
			t.remove(id)
		}
		if t.windows[window].cells == 0 {
			w.list, w.hint = slices.Delete(w.list, i, i+1), 0
			t.freeWindows = append(t.freeWindows, window)
		}
		return nil
	}
	c, err := decodeCell(value)
	if err != nil {
		return err
	}
	if !interned {
		key = t.keys.add(k.text)
	}
	window := t.at(int(k.view), i, start)
	id, ok := t.find(window, key)
	if !ok {
		id = t.insert(window, key)
	}
	to := &t.cells[id]
	to.agg = c.agg
	return nil
}

func (e *Engine) loadProducer(k stateKey, value []byte) error {
	largest, err := decodeProducer(value)
	if err != nil {
		return err
	}
	p := &e.dedup.producers[e.loadName(k.text)]
	p.largest, p.known = largest, true
	return nil
}

func (e *Engine) loadName(name []byte) uint32 {
	id, ok := e.dedup.producer(name)
	if !ok {
		id = e.dedup.addProducer(name)
	}
	return id
}

func (e *Engine) loadBlock(k stateKey, value []byte) error {
	d := &e.dedup
	if value == nil {
		id, ok := d.producer(k.text)
		if !ok {
			return nil
		}
		p := &d.producers[id]
		if i, ok := p.find(k.number); ok {
			d.free = append(d.free, p.blocks[i].slot)
			p.blocks = slices.Delete(p.blocks, i, i+1)
		}
		return nil
	}
	id := e.loadName(k.text)
	p := &d.producers[id]
	i, ok := p.find(k.number)
	if !ok {
		p.blocks = slices.Insert(p.blocks, i, blockRef{k.number, d.addBlock(id, k.number)})
	}
	return decodeBlock(&d.blocks[p.blocks[i].slot], value)
}

// Loaded ends the loading: it checks that the state is whole and belongs to
// these views, and returns the last meta record. Of an empty changelog that is
// the zero Meta. The error is a *ViewsError if the views have changed.
func (e *Engine) Loaded() (Meta, error) {
	if e.load == nil {
		return Meta{}, nil
	}
	m := e.load.meta
	if m == nil {
		return Meta{}, fmt.Errorf("cannot restore the state: the changelog holds records but no meta record; it was cut or written by another program")
	}
	state := make([]string, len(m.Views))
	for i := range m.Views {
		state[i] = m.Views[i].View
	}
	if file := e.table.ids(); !slices.Equal(state, file) {
		return Meta{}, &ViewsError{State: state, File: file}
	}
	err := e.load.fault
	if err == nil {
		err = e.adopt(m)
	}
	if err != nil {
		return Meta{}, fmt.Errorf("cannot restore the state as of transaction %d: %w", m.Transaction, err)
	}
	e.load = nil
	return m.Meta, nil
}

// adopt checks the state against m and takes over what m alone holds.
func (e *Engine) adopt(m *metaRecord) error {
	if err := e.checkClock(m); err != nil {
		return err
	}
	e.clock.watermark, e.clock.believed, e.clock.seen, e.clock.ahead = m.Watermark, m.believed, m.seen, m.ahead
	if err := e.checkCells(m); err != nil {
		return err
	}
	if err := e.checkIDs(m); err != nil {
		return err
	}
	e.stats.copyFrom(&m.Stats)
	e.next, e.transaction = m.Next, m.Transaction
	e.topicID, e.partitions = m.TopicID, m.Partitions
	e.table.link()
	e.table.commit()
	e.dedup.commit()
	e.schedule()
	return nil
}

func (e *Engine) checkClock(m *metaRecord) error {
	ok := m.Next >= 0 && m.Transaction > 0 && m.seen >= 0 && uint64(m.seen) == m.Valid && len(m.ahead) < e.rule.Count &&
		m.Stats.Records == m.Valid+m.Duplicates+m.Stale+m.DeadLetters+m.Punctuation
	last := m.seen - int64(e.rule.Of)
	for _, s := range m.ahead {
		ok = ok && s.position > last && s.position > 0 && s.position <= m.seen && s.time > m.believed
		last = s.position
	}
	if !ok {
		return fmt.Errorf("its meta record contradicts itself")
	}
	return nil
}

func (e *Engine) checkCells(m *metaRecord) error {
	t := &e.table
	cells := make([]uint64, len(t.views))
	pending := make([]uint64, len(t.views))
	for _, s := range t.index {
		if s != 0 {
			c := &t.cells[s-1]
			v := t.windows[c.window].view
			cells[v]++
			pending[v] += c.agg.Count
		}
	}
	for v := range t.views {
		w, want := &t.views[v], &m.Views[v]
		if cells[v] != want.Cells || pending[v] != want.Pending {
			return fmt.Errorf("view %s has %d open cells with %d placements, but its meta record counts %d with %d",
				want.View, cells[v], pending[v], want.Cells, want.Pending)
		}
		if len(w.list) > 0 && w.def.Closed(w.list[0].start+w.def.Window.Size, m.Watermark) {
			return fmt.Errorf("view %s has a cell in a window that is closed: %v", want.View,
				view.Span{Start: w.list[0].start, End: w.list[0].start + w.def.Window.Size})
		}
	}
	return nil
}

func (e *Engine) checkIDs(m *metaRecord) error {
	d := &e.dedup
	d.size = dedupSize{} // made anew: records came in any number of versions
	for id := range d.producers {
		p := &d.producers[id]
		name := d.names.text(uint32(id))
		if !p.known {
			return fmt.Errorf("producer %q has ids but no largest seq", name)
		}
		d.size.largest += p.largest
		d.size.blocks += uint64(len(p.blocks))
		for _, r := range p.blocks {
			d.size.ids += d.blocks[r.slot].len()
			if r.number > p.largest/blockSeqs || p.largest >= view.Horizon && r.number < (p.largest-view.Horizon)/blockSeqs {
				return fmt.Errorf("producer %q has ids around %d, out of reach of its largest seq %d", name, r.number*blockSeqs, p.largest)
			}
		}
	}
	if len(d.producers) != m.Producers || d.size != m.ids {
		return fmt.Errorf("it remembers ids of %d producers, %+v, but its meta record counts %d, %+v",
			len(d.producers), d.size, m.Producers, m.ids)
	}
	return nil
}

// link makes the windows' lists of cells anew: a tombstone takes a cell from the
// middle of its list.
func (t *table) link() {
	for i := range t.windows {
		t.windows[i].first = 0
	}
	for _, s := range t.index {
		if s != 0 {
			c := &t.cells[s-1]
			w := &t.windows[c.window]
			c.next, w.first = w.first, s
		}
	}
}
