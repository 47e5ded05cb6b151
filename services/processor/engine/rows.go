package engine

import (
	"strconv"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// stage of the row of a window that is still open.
func (e *Engine) stage(span view.Span) result.Stage {
	if span.End <= e.clock.watermark {
		return result.OnTime
	}
	return result.Early
}

// rowOf emits the row of a window that consists of one cell.
func (e *Engine) rowOf(v *viewState, id uint32, span view.Span, stage result.Stage, by cause, out *Output) {
	c := &v.list[id]
	var s *sketches
	if v.sketches != nil {
		s = &v.sketches[id]
	}
	e.emit(v, c.key, span, &c.agg, s, stage, by, out)
}

// emit writes a row; s is nil if it has no sketches.
func (e *Engine) emit(v *viewState, key uint32, span view.Span, plain *result.Plain, s *sketches, stage result.Stage, by cause, out *Output) {
	r := &e.row
	r.Place, r.View, r.Stage = e.at(by), v.id, stage
	r.Watermark, r.Span, r.Key = e.clock.watermark, span, e.keys.text(key)
	r.Agg = result.Agg{Plain: *plain}
	if s != nil {
		e.scratch = s.quantiles.Append(e.scratch[:0])
		n := len(e.scratch)
		e.scratch = s.distinct.Append(e.scratch)
		r.Agg.Quantiles, r.Agg.Distinct = text(e.scratch[:n]), text(e.scratch[n:])
	}
	out.begin(Results)
	out.data = result.AppendKey(out.data, v.id, r.Key, span.Start, e.partition)
	out.keyDone()
	out.data = r.Append(out.data)
	out.done()
}

// excludeLate says that a placement came after its window had closed.
func (e *Engine) excludeLate(v *viewState, span view.Span, out *Output) {
	e.exclude(&result.Exclusion{Cause: result.Late, View: v.id, Span: span}, out)
}

// excludeRepeated says that the event does not count in any view.
func (e *Engine) excludeRepeated(by result.Cause, out *Output) {
	if !e.silent {
		e.exclude(&result.Exclusion{Cause: by}, out)
	}
}

func (e *Engine) exclude(x *result.Exclusion, out *Output) {
	x.Place, x.Watermark, x.Event = e.at(e.cause), e.clock.watermark, e.value
	out.begin(Excluded)
	out.data = e.excludedKey(out.data)
	out.keyDone()
	out.data = x.Append(out.data)
	out.done()
}

// excludedKey appends id:PRODUCER/SEQ, or at:PARTITION/OFFSET for an event
// without an id.
func (e *Engine) excludedKey(dst []byte) []byte {
	if ev := &e.record.Event; ev.HasID {
		dst = append(append(append(dst, "id:"...), ev.Producer...), '/')
		return strconv.AppendUint(dst, ev.Seq, 10)
	}
	dst = strconv.AppendInt(append(dst, "at:"...), int64(e.partition), 10)
	return strconv.AppendInt(append(dst, '/'), e.cause.offset, 10)
}

func (e *Engine) deadLetter(reason event.Reason, detail string, out *Output) {
	e.stats.DeadLetters++
	if e.silent {
		return
	}
	d := result.DeadLetter{
		Place: e.at(e.cause), Topic: e.topic, Reason: string(reason), Detail: detail,
		Raw: e.value, Size: uint64(len(e.value)),
	}
	out.begin(DeadLetters)
	out.noKey()
	out.data = d.Append(out.data)
	out.done()
}

// at is the place of the next record of the output.
func (e *Engine) at(by cause) result.Place {
	p := result.Place{
		Partition: e.partition, Offset: by.offset, Scheduled: by.scheduled,
		Transaction: e.transaction + 1, Ordinal: e.ordinal,
	}
	e.ordinal++
	return p
}
