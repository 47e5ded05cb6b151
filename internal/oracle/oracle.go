// Package oracle is the naive answer: the rules of docs/design.md section 5
// written down as directly as possible, with whole-prefix maps and sorted
// slices. It is the third implementation, beside the stream's and the batch's,
// and shares nothing with them but the words (event, view, result).
//
// It may be trusted for what the right answer is, at any size that fits in
// memory; not for speed. Tests and truth use it.
package oracle

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sort"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// NoWatermark is the watermark of a partition in which nothing is believed yet.
const NoWatermark int64 = math.MinInt64

// Record is one message of the log. An empty or nil Value is a dead letter.
type Record struct {
	Partition int32
	Offset    int64
	Value     []byte
}

// Answer is what a log says, as of its end (the cut).
type Answer struct {
	Rows     map[result.Cell]result.Agg // of the windows closed at the cut
	Open     map[result.Cell]result.Agg // of the windows still open at the cut
	ClosedAt map[result.Cell]int64      // per cell of Rows: the offset of the record that closed its window
	Excluded []Exclusion                // by partition, offset, view, window start
	Dead     []Dead                     // by partition, offset
	Counts   map[int32]*Counts          // per partition with at least one record
}

// Exclusion is a valid event, or one placement of it, that was not counted.
type Exclusion struct {
	Partition int32
	Offset    int64
	Cause     result.Cause
	View      string    // of a late placement: view.View.ID
	Span      view.Span // of a late placement
	Watermark int64     // before the record, µs UTC; NoWatermark if there was none
}

// Dead is a message that is no record, or punctuation that nobody may send.
type Dead struct {
	Partition int32
	Offset    int64
	Reason    event.Reason
}

// Counts are a partition's totals. Records is the sum of the next five;
// Counted and Late count placements by view.View.ID.
type Counts struct {
	Records                                           uint64
	Valid, Duplicate, Stale, DeadLetters, Punctuation uint64
	Counted, Late                                     map[string]uint64
	Watermark                                         int64 // at the cut
}

// Stream answers by the stream's own rule: what the processor and the batch's
// reading A must say. log holds each partition's records in offset order.
func Stream(f *view.File, log []Record) *Answer { return answer(f, log, false) }

// All answers with every event, late or not, each id once per partition:
// the batch's reading B. What is closed is still told by the stream's watermark.
func All(f *view.File, log []Record) *Answer { return answer(f, log, true) }

func answer(f *view.File, log []Record, all bool) *Answer {
	a := &Answer{
		Rows:     map[result.Cell]result.Agg{},
		Open:     map[result.Cell]result.Agg{},
		ClosedAt: map[result.Cell]int64{},
		Counts:   map[int32]*Counts{},
	}
	partitions := map[int32][]Record{}
	for _, r := range log {
		partitions[r.Partition] = append(partitions[r.Partition], r)
	}
	for p, records := range partitions {
		a.partition(f, p, judge(&f.Time, records), all)
	}
	slices.SortStableFunc(a.Excluded, func(x, y Exclusion) int {
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset),
			cmp.Compare(x.View, y.View), cmp.Compare(x.Span.Start, y.Span.Start))
	})
	slices.SortStableFunc(a.Dead, func(x, y Dead) int {
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
	})
	return a
}

func (a *Answer) partition(f *view.File, p int32, judged []verdict, all bool) {
	n := &Counts{Counted: map[string]uint64{}, Late: map[string]uint64{}, Watermark: NoWatermark}
	a.Counts[p] = n
	var valid []verdict
	for _, j := range judged {
		n.Records++
		n.Watermark = j.after
		exclusion := Exclusion{Partition: p, Offset: j.offset, Watermark: j.before}
		switch {
		case j.dead != "":
			n.DeadLetters++
			a.Dead = append(a.Dead, Dead{p, j.offset, j.dead})
		case j.record.Kind == event.KindPunctuation:
			n.Punctuation++
		case j.stale && !all:
			n.Stale++
			exclusion.Cause = result.Stale
			a.Excluded = append(a.Excluded, exclusion)
		case j.duplicate:
			n.Duplicate++
			exclusion.Cause = result.Duplicate
			a.Excluded = append(a.Excluded, exclusion)
		default:
			n.Valid++
			valid = append(valid, j)
		}
	}
	for i := range f.Views {
		v := &f.Views[i]
		place := windows
		if v.Window.Kind == view.Session {
			place = sessions
		}
		counted, late := place(v, valid, all)
		for c, rows := range counted {
			c.Partition = p
			n.Counted[v.ID()] += rows.Count
			a.row(v, c, rows.Agg(), judged)
		}
		for _, x := range late {
			n.Late[v.ID()]++
			x.Partition, x.Cause, x.View = p, result.Late, v.ID()
			a.Excluded = append(a.Excluded, x)
		}
	}
}

// row puts a row where it belongs, by what closed its window.
func (a *Answer) row(v *view.View, c result.Cell, agg result.Agg, judged []verdict) {
	// The watermark never goes back, so the first record after which the window
	// is closed can be searched for.
	i := sort.Search(len(judged), func(i int) bool { return v.Closed(c.Span.End, judged[i].after) })
	if i == len(judged) {
		a.Open[c] = agg
		return
	}
	a.Rows[c], a.ClosedAt[c] = agg, judged[i].offset
}

// windows places valid events into tumbling or hopping windows.
func windows(v *view.View, valid []verdict, all bool) (map[result.Cell]*result.Fold, []Exclusion) {
	cells := map[result.Cell]*result.Fold{}
	var late []Exclusion
	for _, j := range valid {
		e := &j.record.Event
		first, last := v.Window.Starts(e.Time)
		for start := first; start <= last; start += v.Window.Hop {
			span := view.Span{Start: start, End: start + v.Window.Size}
			if v.Closed(span.End, j.before) && !all {
				late = append(late, Exclusion{Offset: j.offset, Span: span, Watermark: j.before})
				continue
			}
			c := result.Cell{View: v.ID(), Key: string(e.Key), Span: span}
			if cells[c] == nil {
				cells[c] = result.NewFold(v)
			}
			cells[c].Event(e.Value, e.Subject)
		}
	}
	return cells, late
}

// session is an interval with the events that hold it.
type session struct {
	span   view.Span
	events []*event.Event
}

// sessions places valid events into sessions.
func sessions(v *view.View, valid []verdict, all bool) (map[result.Cell]*result.Fold, []Exclusion) {
	byKey := map[string][]session{}
	var late []Exclusion
	for i := range valid {
		j := &valid[i]
		e := &j.record.Event
		joined := session{view.Span{Start: e.Time, End: e.Time + v.Window.Gap}, []*event.Event{e}}
		own := joined.span
		over := !all && v.Closed(own.End, j.before) // so it moves no start
		var others []session
		for _, s := range byKey[string(e.Key)] {
			open := all || !v.Closed(s.span.End, j.before)
			within := s.span.Start <= own.Start || !over
			if open && within && s.span.Start < own.End && own.Start < s.span.End {
				joined.span.Start = min(joined.span.Start, s.span.Start)
				joined.span.End = max(joined.span.End, s.span.End)
				joined.events = append(joined.events, s.events...)
			} else {
				others = append(others, s)
			}
		}
		if over && len(joined.events) == 1 {
			late = append(late, Exclusion{Offset: j.offset, Span: own, Watermark: j.before})
			continue
		}
		byKey[string(e.Key)] = append(others, joined)
	}
	cells := map[result.Cell]*result.Fold{}
	for key, list := range byKey {
		for _, s := range list {
			rows := result.NewFold(v)
			for _, e := range s.events {
				rows.Event(e.Value, e.Subject)
			}
			cells[result.Cell{View: v.ID(), Key: key, Span: s.span}] = rows
		}
	}
	return cells, late
}

// verdict is one record, judged by the rule of the stream. duplicate is exact,
// over the whole prefix; stale says that the stream does not look.
type verdict struct {
	offset           int64
	record           event.Record
	dead             event.Reason // "" for a record
	duplicate, stale bool
	before, after    int64 // the watermark before and after the record
}

func judge(t *view.Time, records []Record) []verdict {
	type id struct {
		producer string
		seq      uint64
	}
	seen := map[id]bool{}
	largest := map[string]uint64{}
	var times []int64 // of the valid events
	watermark := NoWatermark
	judged := make([]verdict, len(records))
	for i, r := range records {
		j := &judged[i]
		j.offset, j.before, j.after = r.Offset, watermark, watermark
		if err := j.record.Decode(r.Value); err != nil {
			var refused *event.Invalid
			errors.As(err, &refused) // as Decode promises
			j.dead = refused.Reason
			continue
		}
		if j.record.Kind == event.KindPunctuation {
			if !t.Accepts(j.record.Punctuation.Sender) {
				j.dead = event.Unauthorized
				continue
			}
			watermark = max(watermark, j.record.Punctuation.Watermark)
			j.after = watermark
			continue
		}
		e := &j.record.Event
		if e.HasID {
			p := string(e.Producer)
			j.stale = largest[p] > e.Seq && largest[p]-e.Seq > view.Horizon
			j.duplicate = seen[id{p, e.Seq}]
			seen[id{p, e.Seq}] = true
			largest[p] = max(largest[p], e.Seq)
		}
		if j.stale || j.duplicate {
			continue
		}
		times = append(times, e.Time)
		watermark = max(watermark, believed(times, t))
		j.after = watermark
	}
	return judged
}

// believed is the time that t.Count of the last t.Of times have reached, less
// the lag.
func believed(times []int64, t *view.Time) int64 {
	last := slices.Clone(times[max(0, len(times)-t.Of):])
	if len(last) < t.Count {
		return NoWatermark
	}
	slices.Sort(last)
	return last[len(last)-t.Count] - t.Lag
}
