package engine

import (
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// A session view has a cell for each open session. Those of a key are disjoint,
// so an event, which holds as much time as the shortest session, overlaps two at
// most. What has closed is in no list: an event joins open sessions only.

// retraction is a start of a session that is gone although rows told of it.
type retraction struct {
	key  uint32
	span view.Span // as it was told
	by   cause     // the record that joined it, or moved its start
}

// placeSession puts the event into the session it overlaps, or between two of
// which it makes one, or into its own. If its own would be closed it is late,
// unless it falls into a session: no start moves back into time that is over.
func (e *Engine) placeSession(v *viewState, stats *ViewStats, key *eventKey, out *Output) {
	ev := &e.record.Event
	own := view.Span{Start: ev.Time, End: ev.Time + v.def.Window.Gap}
	var before, after uint32
	if key.known {
		before, after = v.seek(key.id, own.End-1)
	}
	alone := before == 0 || v.sessions[before-1].end <= own.Start
	if v.def.Closed(own.End, e.clock.watermark) && (alone || v.list[before-1].start > own.Start) {
		stats.Late++
		e.excludeLate(v, own, out)
		return
	}
	if alone {
		before = e.newSession(v, e.intern(key), own, before, after) + 1
		stats.Cells++
	} else if earlier := v.list[before-1].earlier; earlier != 0 && v.sessions[earlier-1].end > own.Start {
		e.mergeSessions(v, earlier-1, before-1)
		before = earlier
		stats.Cells--
	}
	id := before - 1
	v.touch(id, e.cause)
	v.stretch(id, own, e.cause)
	v.fold(id, ev)
	stats.Counted++
	stats.Pending++
}

func (e *Engine) newSession(v *viewState, key uint32, own view.Span, before, after uint32) uint32 {
	id := v.insert(key, own.Start, before, after)
	v.sessions[id] = session{end: own.End}
	v.enqueue(id)
	e.closeAt = min(e.closeAt, own.End+v.def.Lateness)
	return id
}

// mergeSessions makes the earlier session hold the later one too.
func (e *Engine) mergeSessions(v *viewState, earlier, later uint32) {
	v.touch(earlier, e.cause)
	v.touch(later, e.cause)
	v.list[earlier].agg.Merge(v.list[later].agg)
	if v.sketches != nil {
		v.sketches[earlier].merge(&v.sketches[later])
	}
	v.sessions[earlier].end = v.sessions[later].end
	v.retract(later, e.cause)
	v.sessions[later].queued = 0
	v.remove(later)
}

// stretch makes a touched session hold a span that overlaps it.
func (v *viewState) stretch(id uint32, own view.Span, by cause) {
	c, s := &v.list[id], &v.sessions[id]
	s.end = max(s.end, own.End)
	if own.Start < c.start {
		v.retract(id, by)
		c.start = own.Start
	}
}

// retract notes that a touched session's start is no more.
func (v *viewState) retract(id uint32, by cause) {
	s := &v.sessions[id]
	if !s.told {
		return
	}
	s.told = false
	t := &v.touched[v.list[id].touch-1]
	v.retracted = append(v.retracted, retraction{key: v.list[id].key, span: view.Span{Start: t.start, End: t.end}, by: by})
}

// closeSessions emits the rows of the sessions that the watermark has closed.
func (e *Engine) closeSessions(v *viewState, stats *ViewStats, out *Output) {
	for len(v.queue) > 0 && v.def.Closed(v.queue[0].end, e.clock.watermark) {
		d := v.queue.pop()
		s := &v.sessions[d.cell]
		switch {
		case s.queued != d.end: // of a session that is gone
		case s.end > d.end:
			v.enqueue(d.cell)
		default:
			stats.Cells--
			stats.Pending -= v.list[d.cell].agg.Count
			e.rowOf(v, d.cell, v.span(d.cell), result.Final, e.cause, out)
			s.queued = 0
			v.remove(d.cell)
		}
	}
}

// updateSessions emits a row of each touched session and retracts the starts
// that are gone.
func (e *Engine) updateSessions(v *viewState, out *Output) {
	for i := range v.touched {
		t := &v.touched[i]
		if t.removed || v.def.FinalOnly {
			continue
		}
		span := v.span(t.cell)
		e.rowOf(v, t.cell, span, e.stage(span), v.causes[i], out)
		v.sessions[t.cell].told = true
	}
	for _, r := range v.retracted {
		e.emit(v, r.key, r.span, &result.Plain{}, nil, result.Retracted, r.by, out)
	}
}

// queue is a heap of sessions by their ends. A session that grows keeps its
// entry, which is put right when it comes to the front: it is moved once per
// length of a session, not with each event.
type queue []due

type due struct {
	end  int64
	cell uint32
}

func (v *viewState) enqueue(id uint32) {
	s := &v.sessions[id]
	s.queued = s.end
	v.queue.push(due{s.end, id})
}

// requeue makes the queue anew.
func (v *viewState) requeue() {
	v.queue = v.queue[:0]
	for id := range v.list {
		if v.list[id].key != noKey {
			v.enqueue(uint32(id))
		}
	}
}

func (q *queue) push(d due) {
	h := append(*q, d)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].end <= d.end {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = d
	*q = h
}

func (q *queue) pop() due {
	h := *q
	top, d := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	for i := 0; len(h) > 0; {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].end < h[child].end {
			child++
		}
		if child >= len(h) || h[child].end >= d.end {
			h[i] = d
			break
		}
		h[i] = h[child]
		i = child
	}
	*q = h
	return top
}
