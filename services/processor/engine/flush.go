package engine

import (
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// Flush ends the transaction's output: a row of each cell that the transaction
// touched and left open, then the changes of the state, then the meta record.
// It is to be called once before Commit, also when nothing was applied.
func (e *Engine) Flush(out *Output) {
	e.begin()
	if e.flushed {
		panic("BUG: Flush twice in one transaction")
	}
	e.flushed = true
	e.flushRows(out)
	first := out.Len()
	e.flushCells(out)
	e.flushIDs(out)
	changes := out.Len() - first
	out.begin(Changelog)
	out.data = appendMetaKey(out.data)
	out.keyDone()
	out.data = e.meta(uint32(changes)).append(out.data)
	out.done()
}

func (e *Engine) flushRows(out *Output) {
	t := &e.table
	for i := range t.touched {
		c := &t.cells[t.touched[i].cell]
		w := &t.windows[c.window]
		if w.closed {
			continue
		}
		o := &t.views[w.view]
		span := view.Span{Start: w.start, End: w.start + o.def.Window.Size}
		stage := result.Early
		if span.End <= e.clock.watermark {
			stage = result.OnTime
		}
		e.row(o, span, c, stage, t.causes[i].offset, t.causes[i].scheduled, out)
	}
}

func (e *Engine) flushCells(out *Output) {
	t := &e.table
	for i := range t.touched {
		c := &t.cells[t.touched[i].cell]
		w := &t.windows[c.window]
		if w.closed {
			continue
		}
		out.begin(Changelog)
		out.data = appendCellKey(out.data, w.view, w.start, t.keys.text(c.key))
		out.keyDone()
		out.data = appendCell(out.data, c)
		out.done()
	}
	for _, id := range t.leaving {
		c := &t.cells[id]
		if c.touch != 0 && t.touched[c.touch-1].fresh {
			continue // the changelog never heard of it
		}
		w := &t.windows[c.window]
		out.begin(Changelog)
		out.data = appendCellKey(out.data, w.view, w.start, t.keys.text(c.key))
		out.tombstoneDone()
	}
}

func (e *Engine) flushIDs(out *Output) {
	d := &e.dedup
	for _, u := range d.touched {
		if d.producers[u.id].largest == u.largest && !u.fresh {
			continue // only its blocks changed
		}
		out.begin(Changelog)
		out.data = appendProducerKey(out.data, d.names.text(u.id))
		out.keyDone()
		out.data = appendProducer(out.data, d.producers[u.id].largest)
		out.done()
	}
	for _, m := range d.marked {
		o := &d.owners[m.slot]
		if o.dropped {
			continue
		}
		out.begin(Changelog)
		out.data = appendBlockKey(out.data, o.number, d.names.text(o.producer))
		out.keyDone()
		out.data = appendBlock(out.data, &d.blocks[m.slot])
		out.done()
	}
	for _, slot := range d.dropped {
		o := &d.owners[slot]
		if o.touch != 0 && d.marked[o.touch-1].fresh {
			continue
		}
		out.begin(Changelog)
		out.data = appendBlockKey(out.data, o.number, d.names.text(o.producer))
		out.tombstoneDone()
	}
}

// meta is the meta record of the open transaction.
func (e *Engine) meta(changes uint32) *metaRecord {
	m := &metaRecord{
		Meta: Meta{
			Next: e.next, Transaction: e.transaction + 1, Records: e.ordinal, Changes: changes,
			TopicID: e.topicID, Partitions: e.partitions, Stats: e.Stats(),
		},
		believed: e.clock.believed, seen: e.clock.seen, ahead: e.clock.ahead,
		ids: e.dedup.size,
	}
	return m
}
