package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// Engine is the state of one input partition. It is used by one goroutine.
type Engine struct {
	rule      view.Time
	topic     string
	partition int32

	topicID    string
	partitions int32

	next        int64 // the next input offset
	transaction uint64
	clock       clock
	dedup       dedup
	table       table
	stats       Stats
	closeAt     int64 // the watermark that closes the next window; MaxInt64 if none is open

	record  event.Record // the one being judged
	ordinal uint32       // of the next record with a Place

	open    bool // a transaction has begun
	flushed bool // and its Flush was called
	before  struct {
		next  int64
		clock clock
		stats Stats
	}

	load *loading // nil once loaded, or if nothing was to be loaded
}

// New makes the empty state of a partition. The views are answered in the order
// of their ids, whatever their order in the file.
func New(f *view.File, topic string, partition int32) *Engine {
	views := slices.Clone(f.Views)
	slices.SortFunc(views, func(a, b view.View) int { return cmp.Compare(a.ID(), b.ID()) })
	e := &Engine{rule: f.Time, topic: topic, partition: partition, table: newTable(views), dedup: newDedup(), closeAt: math.MaxInt64}
	e.clock = newClock(&e.rule)
	e.stats.Watermark = NoWatermark
	for i := range views {
		e.stats.Views = append(e.stats.Views, ViewStats{View: views[i].ID()})
	}
	return e
}

// SetSource says which topic the partition belongs to. It becomes part of the
// meta record, so that who restores the state can tell a recreated topic.
func (e *Engine) SetSource(topicID string, partitions int32) {
	e.topicID, e.partitions = topicID, partitions
}

// Next returns the next input offset: the last applied one plus one, 0 at first.
func (e *Engine) Next() int64 { return e.next }

// Transaction returns the number of committed transactions.
func (e *Engine) Transaction() uint64 { return e.transaction }

// Stats returns the totals, including those of the open transaction.
func (e *Engine) Stats() Stats {
	var s Stats
	s.copyFrom(&e.stats)
	s.Watermark, s.Producers = e.clock.watermark, e.dedup.names.len()
	return s
}

// Apply judges the records of a batch and folds them in. It appends exclusions,
// dead letters and final rows, in the order in which they come about. Offsets
// must ascend over all batches; b is not kept.
func (e *Engine) Apply(b *Batch, out *Output) {
	e.begin()
	if e.flushed {
		panic("BUG: Apply after Flush: commit or roll back first")
	}
	start := 0
	for i, offset := range b.Offsets {
		if offset < e.next {
			panic(fmt.Sprintf("BUG: offset %d applied to a state that has come to %d", offset, e.next))
		}
		e.judge(offset, b.Timestamps[i], b.Data[start:b.Ends[i]:b.Ends[i]], out)
		e.next, start = offset+1, b.Ends[i]
	}
}

func (e *Engine) begin() {
	if e.load != nil {
		panic("BUG: the changelog was not loaded to its end: call Loaded first")
	}
	if e.open {
		return
	}
	e.open = true
	e.dedup.begin()
	e.before.next = e.next
	e.before.clock.copyFrom(&e.clock)
	e.before.stats.copyFrom(&e.stats)
}

// Commit makes the transaction's changes part of the state.
func (e *Engine) Commit() {
	if !e.flushed {
		panic("BUG: Commit without Flush: the changelog would miss the transaction")
	}
	e.table.commit()
	e.dedup.commit()
	e.transaction++
	e.over()
}

// Rollback puts the state back to what it was at the last Commit.
func (e *Engine) Rollback() {
	if !e.open {
		return
	}
	e.table.rollback()
	e.dedup.rollback()
	e.next = e.before.next
	e.clock.copyFrom(&e.before.clock)
	e.stats.copyFrom(&e.before.stats)
	e.schedule()
	e.over()
}

func (e *Engine) over() { e.open, e.flushed, e.ordinal = false, false, 0 }

func (e *Engine) judge(offset, timestamp int64, value []byte, out *Output) {
	e.stats.Records++
	r := &e.record
	if err := r.Decode(value); err != nil {
		var refused *event.Invalid
		errors.As(err, &refused) // as Decode promises
		e.deadLetter(offset, timestamp, value, refused.Reason, refused.Detail, out)
		return
	}
	if r.Kind == event.KindPunctuation {
		p := &r.Punctuation
		if !e.rule.Accepts(p.Sender) {
			detail := fmt.Sprintf("punctuation is not accepted from %q", p.Sender)
			e.deadLetter(offset, timestamp, value, event.Unauthorized, detail, out)
			return
		}
		e.stats.Punctuation++
		e.clock.raise(p.Watermark)
	} else {
		ev := &r.Event
		if ev.HasID {
			switch e.dedup.admit(ev.Producer, ev.Seq) {
			case duplicate:
				e.stats.Duplicates++
				e.exclude(result.Exclusion{Cause: result.Duplicate}, offset, timestamp, value, out)
				return
			case stale:
				e.stats.Stale++
				e.exclude(result.Exclusion{Cause: result.Stale}, offset, timestamp, value, out)
				return
			}
		}
		e.stats.Valid++
		e.place(offset, timestamp, value, out)
		e.clock.event(ev.Time)
	}
	if e.clock.watermark >= e.closeAt {
		e.close(offset, timestamp, out)
	}
}

// place puts the event into its windows of each view, by the watermark that
// stood before it.
func (e *Engine) place(offset, timestamp int64, value []byte, out *Output) {
	t, ev := &e.table, &e.record.Event
	key, interned := t.keys.find(ev.Key)
	for v := range t.views {
		w, stats := &t.views[v], &e.stats.Views[v]
		size, hop := w.def.Window.Size, w.def.Window.Hop
		last := w.lastStart(ev.Time)
		start := last - size + hop
		for ; start <= last && w.def.Closed(start+size, e.clock.watermark); start += hop {
			stats.Late++
			e.exclude(result.Exclusion{
				Cause: result.Late, View: w.id, Span: view.Span{Start: start, End: start + size},
			}, offset, timestamp, value, out)
		}
		if start > last {
			continue
		}
		if !interned {
			key, interned = t.keys.add(ev.Key), true
		}
		e.closeAt = min(e.closeAt, start+size+w.def.Lateness)
		placements, fresh := t.fold(v, w.position(start), start, last, key, ev.Value, cause{offset, timestamp})
		stats.Counted += placements
		stats.Pending += placements
		stats.Cells += fresh
	}
}

// close emits the final rows of the windows that the watermark has closed, by
// view, start and key.
func (e *Engine) close(offset, timestamp int64, out *Output) {
	for v := range e.table.views {
		o, stats := &e.table.views[v], &e.stats.Views[v]
		for len(o.list) > 0 && o.def.Closed(o.list[0].start+o.def.Window.Size, e.clock.watermark) {
			w, cells := e.table.close(v)
			span := view.Span{Start: w.start, End: w.start + o.def.Window.Size}
			stats.Cells -= uint64(len(cells))
			for _, id := range cells {
				c := &e.table.cells[id]
				stats.Pending -= c.agg.Count
				e.row(o, span, c, result.Final, offset, timestamp, out)
			}
		}
	}
	e.schedule()
}

// schedule finds the watermark that closes the next window.
func (e *Engine) schedule() {
	e.closeAt = math.MaxInt64
	for v := range e.table.views {
		if o := &e.table.views[v]; len(o.list) > 0 {
			e.closeAt = min(e.closeAt, o.list[0].start+o.def.Window.Size+o.def.Lateness)
		}
	}
}

// row emits a cell's row by its stage.
func (e *Engine) row(o *openWindows, span view.Span, c *cell, stage result.Stage, offset, timestamp int64, out *Output) {
	key := e.table.keys.text(c.key)
	r := result.Result{
		Place: e.at(offset, timestamp), View: o.id, Stage: stage,
		Watermark: e.clock.watermark, Span: span, Key: key, Agg: result.Agg{Plain: c.agg},
	}
	out.begin(Results)
	out.data = result.AppendKey(out.data, o.id, key, span.Start, e.partition)
	out.keyDone()
	out.data = r.Append(out.data)
	out.done()
}

func (e *Engine) exclude(x result.Exclusion, offset, timestamp int64, value []byte, out *Output) {
	x.Place, x.Watermark, x.Event = e.at(offset, timestamp), e.clock.watermark, value
	out.begin(Excluded)
	out.data = e.excludedKey(out.data, offset)
	out.keyDone()
	out.data = x.Append(out.data)
	out.done()
}

// excludedKey appends id:PRODUCER/SEQ, or at:PARTITION/OFFSET for an event
// without an id.
func (e *Engine) excludedKey(dst []byte, offset int64) []byte {
	if ev := &e.record.Event; ev.HasID {
		dst = append(append(append(dst, "id:"...), ev.Producer...), '/')
		return strconv.AppendUint(dst, ev.Seq, 10)
	}
	dst = strconv.AppendInt(append(dst, "at:"...), int64(e.partition), 10)
	return strconv.AppendInt(append(dst, '/'), offset, 10)
}

func (e *Engine) deadLetter(offset, timestamp int64, value []byte, reason event.Reason, detail string, out *Output) {
	e.stats.DeadLetters++
	d := result.DeadLetter{
		Place: e.at(offset, timestamp), Topic: e.topic, Reason: string(reason), Detail: detail,
		Raw: value, Size: uint64(len(value)),
	}
	out.begin(DeadLetters)
	out.noKey()
	out.data = d.Append(out.data)
	out.done()
}

// at is the place of the next record of the output.
func (e *Engine) at(offset, timestamp int64) result.Place {
	p := result.Place{
		Partition: e.partition, Offset: offset, Scheduled: timestamp,
		Transaction: e.transaction + 1, Ordinal: e.ordinal,
	}
	e.ordinal++
	return p
}
