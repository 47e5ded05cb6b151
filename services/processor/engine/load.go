package engine

import (
	"errors"
	"fmt"
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/failpoint"
	"parallax.example/internal/view"
)

// loading is what Load keeps until Loaded or Change.
type loading struct {
	meta    *metaRecord
	reach   int64               // see Reach
	made    byte                // see Made; 0 without one
	atomic  bool                // neither was there
	foreign map[string]struct{} // keys of cells of views that the file lacks
}

// Load takes in one record of the changelog; records come in offset order, from
// a whole or a compacted log. A nil value is a tombstone. The engine must be
// new, and is of no use after an error.
func (e *Engine) Load(key, value []byte) error {
	if e.open || e.load == nil && e.next > 0 {
		panic("BUG: Load into an engine that has begun")
	}
	if e.load == nil {
		e.load = &loading{atomic: true, foreign: map[string]struct{}{}}
	}
	k, err := decodeKey(key)
	if err == nil {
		switch k.kind {
		case kindMeta:
			err = e.loadMeta(value)
		case kindPane, kindSession:
			err = e.loadCell(k, key, value)
		case kindProducer:
			err = e.loadProducer(k, value)
		case kindBlock:
			err = e.loadBlock(k, value)
		case kindReach:
			e.load.atomic = false
			e.load.reach, err = decodeReach(value)
		case kindMade:
			e.load.atomic = false
			e.load.made, err = decodeMade(value)
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

func (e *Engine) loadCell(k stateKey, raw, value []byte) error {
	i := slices.IndexFunc(e.views, func(v viewState) bool { return v.hash == k.view })
	switch {
	case i < 0 && value == nil:
		delete(e.load.foreign, string(raw))
		return nil
	case i < 0:
		e.load.foreign[string(raw)] = struct{}{}
		return nil
	}
	v, start := &e.views[i], int64(k.number)
	if v.isSession() != (k.kind == kindSession) || !v.possible(start) {
		return errForm
	}
	key, known := e.keys.find(k.text)
	var before, after uint32
	if known {
		before, after = v.seek(key, start)
	}
	found := before != 0 && v.list[before-1].start == start
	if value == nil {
		if found { // compaction may have taken the value already
			v.unlink(before - 1)
			v.release(before - 1)
		}
		return nil
	}
	if !known {
		key = e.keys.add(k.text)
	}
	if !found {
		id := v.add(key, start)
		v.link(id, before, after)
		before = id + 1
	}
	return v.decodeCell(before-1, value)
}

// possible reports whether a cell of the view can start there.
func (v *viewState) possible(start int64) bool {
	w := &v.def.Window
	if v.isSession() {
		return start >= event.MinTime && start < event.EndTime
	}
	return start > event.MinTime-w.Hop && start < event.EndTime && start%w.Hop == 0
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
// the zero Meta. The error is a *ViewsError, beside the Meta, if the views have
// changed; then Change may follow.
func (e *Engine) Loaded() (Meta, error) {
	if e.load == nil {
		return Meta{}, nil
	}
	if !e.load.atomic {
		return Meta{}, errNotAtomic
	}
	if e.load.meta == nil {
		return Meta{}, errNoMeta
	}
	if err := e.compareViews(); err != nil {
		return e.load.meta.Meta, err
	}
	return e.adopted()
}

// Made returns the guarantee that the loaded changelog names, 0 if it names none.
// It is to be asked before the loading ends.
func (e *Engine) Made() byte {
	if e.load == nil {
		return 0
	}
	return e.load.made
}

var errNoMeta = errors.New("cannot restore the state: the changelog holds records but no meta record; it was cut or written by another program")

var errNotAtomic = errors.New("cannot restore the state: the changelog was written without transactions, and does not say whether it is whole")

// adopted ends the loading of views that may have changed.
func (e *Engine) adopted() (Meta, error) {
	m := e.load.meta
	if err := e.adopt(m); err != nil {
		return Meta{}, fmt.Errorf("cannot restore the state as of transaction %d: %w", m.Transaction, err)
	}
	e.load = nil
	m.Stats = e.Stats()
	return m.Meta, nil
}

// adopt checks the state against m and takes over what m alone holds.
func (e *Engine) adopt(m *metaRecord) error {
	if err := e.checkClock(m); err != nil {
		return err
	}
	if err := e.checkForeign(m); err != nil {
		return err
	}
	e.takeTotals(m)
	for i := range e.views {
		if err := e.adoptView(i, m); err != nil {
			return err
		}
	}
	if err := e.checkIDs(m); err != nil {
		return err
	}
	e.next, e.transaction = m.Next, max(e.transaction, m.Transaction)
	e.settle(m)
	return nil
}

// takeTotals takes over what m counts of the whole input.
func (e *Engine) takeTotals(m *metaRecord) {
	views := e.stats.Views
	e.stats.copyFrom(&m.Stats)
	e.stats.Views = views
}

// settle takes over what m alone holds, and begins from there.
func (e *Engine) settle(m *metaRecord) {
	if failpoint.Mutant("processor/watermark-lost") {
		m.Watermark, m.believed, m.ahead = NoWatermark, NoWatermark, nil
	}
	e.clock.watermark, e.clock.believed, e.clock.seen, e.clock.ahead = m.Watermark, m.believed, m.seen, m.ahead
	e.topicID, e.partitions = m.TopicID, m.Partitions
	for i := range e.views {
		e.views[i].commit()
	}
	e.dedup.commit()
	e.schedule()
}

// adoptView checks a view's cells and takes its totals over. A view that m does
// not name begins with the next offset.
func (e *Engine) adoptView(i int, m *metaRecord) error {
	v, stats := &e.views[i], e.begun(i, m)
	cells, pending, err := v.count(m.Watermark)
	if err != nil {
		return err
	}
	if cells != stats.Cells || pending != stats.Pending {
		return fmt.Errorf("view %s has %d open cells with %d placements, but its meta record counts %d with %d",
			v.id, cells, pending, stats.Cells, stats.Pending)
	}
	v.fillPanes()
	return nil
}

// begun takes a view's totals over from m.
func (e *Engine) begun(i int, m *metaRecord) *ViewStats {
	stats := &e.stats.Views[i]
	*stats = ViewStats{View: string(e.views[i].id), Since: m.Next}
	if j := slices.IndexFunc(m.Views, func(s ViewStats) bool { return s.View == stats.View }); j >= 0 {
		*stats = m.Views[j]
	}
	return stats
}

// count looks at all restored cells, and counts them and their placements.
func (v *viewState) count(watermark int64) (cells, pending uint64, err error) {
	for id := range v.list {
		c := &v.list[id]
		if c.key == noKey {
			continue
		}
		windows, err := v.check(uint32(id), watermark)
		if err != nil {
			return 0, 0, fmt.Errorf("view %s has %w", v.id, err)
		}
		cells++
		pending += c.agg.Count * windows
	}
	return cells, pending, nil
}

// check looks at a restored cell, and counts its open windows.
func (v *viewState) check(id uint32, watermark int64) (windows uint64, err error) {
	c, w := &v.list[id], &v.def.Window
	span := v.span(id)
	if v.def.Closed(span.End, watermark) {
		return 0, fmt.Errorf("a cell that is closed: %v", span)
	}
	if !v.isSession() {
		first := c.start - w.Size + w.Hop
		return uint64((c.start-max(first, v.firstOpen(watermark)))/w.Hop) + 1, nil
	}
	if span.End < c.start+w.Gap || span.End > event.EndTime+w.Gap {
		return 0, fmt.Errorf("a session that no events make: %v", span)
	}
	if c.later != 0 && v.list[c.later-1].start < span.End {
		return 0, fmt.Errorf("two sessions of one key that overlap: %v and the next", span)
	}
	return 1, nil
}

// fillPanes makes the panes of restored cells.
func (v *viewState) fillPanes() {
	for id := range v.list {
		if c := &v.list[id]; c.key != noKey && !v.isSession() {
			p := v.panes.at(c.start)
			p.cells = append(p.cells, uint32(id))
		}
	}
}

func (e *Engine) checkClock(m *metaRecord) error {
	ok := m.Next >= 0 && m.Transaction > 0 && m.again == 0 && m.seen >= 0 && uint64(m.seen) == m.Valid && len(m.ahead) < e.rule.Count &&
		m.Stats.Records == m.Valid+m.Duplicates+m.Stale+m.DeadLetters+m.Punctuation &&
		(m.Watermark == NoWatermark || m.Watermark >= event.MinTime-e.rule.Lag && m.Watermark <= event.MaxWatermark)
	last := m.seen - int64(e.rule.Of)
	for _, s := range m.ahead {
		ok = ok && s.position > last && s.position > 0 && s.position <= m.seen && s.time > m.believed
		last = s.position
	}
	if !ok {
		return errors.New("its meta record contradicts itself")
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
