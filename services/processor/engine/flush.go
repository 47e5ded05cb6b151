package engine

// Flush ends the transaction's output: rows of what the transaction touched and
// left open, then the changes of the state, then the meta record. It is to be
// called once before Commit, also when nothing was applied.
func (e *Engine) Flush(out *Output) {
	e.begin()
	if e.flushed {
		panic("BUG: Flush twice in one transaction")
	}
	for i := range e.views {
		switch v := &e.views[i]; {
		case v.isSession():
			e.updateSessions(v, out)
		case !v.def.FinalOnly:
			e.updateWindows(v, out)
		}
	}
	e.flushState(out)
}

// flushState emits the changes of the state and the meta record.
func (e *Engine) flushState(out *Output) {
	e.flushed = true
	first := out.begun
	for i := range e.views {
		e.flushCells(&e.views[i], out)
	}
	e.flushIDs(out)
	e.flushForeign(out)
	changes := out.begun - first
	out.begin(Changelog)
	out.data = appendMetaKey(out.data)
	out.keyDone()
	out.data = e.meta(uint32(changes)).append(out.data)
	out.done()
}

func (e *Engine) flushCells(v *viewState, out *Output) {
	for i := range v.touched {
		if i%ahead == 0 && e.keys.len() >= manyKeys {
			e.fetchTouched(v, v.touched[i:min(i+ahead, len(v.touched))])
		}
		t := &v.touched[i]
		c := &v.list[t.cell]
		if !t.fresh && (t.removed || t.start != c.start) {
			e.flushRemoved(v, t.start, c.key, out)
		}
		if t.removed {
			continue
		}
		out.begin(Changelog)
		out.data = v.appendCellKey(out.data, c.start, e.keys.text(c.key))
		out.keyDone()
		out.data = v.appendCell(out.data, t.cell, &e.scratch)
		out.done()
	}
	for _, s := range v.steps {
		if c := &v.list[s.cell]; s.removed && c.touch == 0 {
			e.flushRemoved(v, c.start, c.key, out)
		}
	}
}

func (e *Engine) flushRemoved(v *viewState, start int64, key uint32, out *Output) {
	out.begin(Changelog)
	out.data = v.appendCellKey(out.data, start, e.keys.text(key))
	out.tombstoneDone()
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
