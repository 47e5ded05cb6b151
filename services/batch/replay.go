package batch

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"parallax.example/internal/answer"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// session is an interval, and the events that hold it.
type session struct {
	view.Span
	state
}

// replay is the reduce stage of views with sessions. It gathers a key's events of
// one partition, which come in the order of their offsets, and answers every such
// view from them. So it holds one key's events of one partition at a time, some
// 100 bytes for each, and one view's sessions of them, and no more: a key with a
// hundred million events in one partition needs ten gigabytes.
type replay struct {
	views     []int // those with sessions, by ID
	group     []byte
	key       []byte
	partition int32
	events    []sessionEvent
	byTime    []int32
	totals    map[int32][]placements // by partition and place in views
}

func newReplay(f *view.File) replay {
	r := replay{totals: map[int32][]placements{}}
	for i := range f.Views {
		if f.Views[i].Window.Kind == view.Session {
			r.views = append(r.views, i)
		}
	}
	return r
}

// event takes the next record; the group before it is answered when it is another's.
func (t *tables) event(key, value []byte) (err error) {
	if len(key) < 8 {
		return fmt.Errorf("an event's key of %d bytes", len(key))
	}
	if string(sessionGroup(key)) != string(t.replay.group) {
		if err := t.sessions(); err != nil {
			return err
		}
		r := &t.replay
		r.group = append(r.group[:0], sessionGroup(key)...)
		if r.key, r.partition, err = decodeSessionGroup(r.group); err != nil {
			return err
		}
	}
	e, err := decodeSessionEvent(key, value)
	t.replay.events = append(t.replay.events, e)
	return err
}

// sessions answers every view with sessions from the gathered events.
func (t *tables) sessions() error {
	r := &t.replay
	if len(r.events) == 0 {
		return nil
	}
	r.byTime = r.byTime[:0]
	for i := range r.events {
		r.byTime = append(r.byTime, int32(i))
	}
	slices.SortFunc(r.byTime, func(a, b int32) int { return cmp.Compare(r.events[a].time, r.events[b].time) })
	totals := r.totals[r.partition]
	if totals == nil {
		totals = make([]placements, len(r.views))
		r.totals[r.partition] = totals
	}
	for n, i := range r.views {
		v := &t.pl.views.Views[i]
		a, late := streamed(v, r.events)
		for _, e := range late {
			if err := t.late(v, &r.events[e]); err != nil {
				return err
			}
		}
		if err := t.sessionRows(i, a, merged(v, r.events, r.byTime)); err != nil {
			return err
		}
		totals[n].late += int64(len(late))
		totals[n].countedB += int64(len(r.events))
		for k := range a {
			totals[n].counted += int64(a[k].Count)
		}
	}
	r.events = r.events[:0]
	return nil
}

// streamed is reading A: the sessions by start, and the late events. Those that
// are still open are disjoint, so in the order of their starts they are in the
// order of their ends, too, and the next to close stands first.
func streamed(v *view.View, events []sessionEvent) (done []session, late []int) {
	var open []session
	for i := range events {
		e := &events[i]
		if e.stale {
			continue
		}
		n := 0
		for n < len(open) && v.Closed(open[n].End, e.watermark) {
			n++
		}
		done, open = append(done, open[:n]...), open[n:]

		own := view.Span{Start: e.time, End: e.time + v.Window.Gap}
		first := sort.Search(len(open), func(k int) bool { return open[k].End > own.Start })
		last := first // open[first:last] overlap it
		for last < len(open) && open[last].Start < own.End {
			last++
		}
		switch {
		case v.Closed(own.End, e.watermark) && (first == last || open[first].Start > e.time):
			late = append(late, i)
			continue
		case first < last:
			for k := first + 1; k < last; k++ {
				open[first].End = open[k].End
				open[first].merge(&open[k].state)
			}
			open = slices.Delete(open, first+1, last)
		default:
			open = slices.Insert(open, first, session{Span: own})
		}
		s := &open[first]
		s.Start, s.End = min(s.Start, own.Start), max(s.End, own.End)
		s.add(v, e)
	}
	done = append(done, open...)
	slices.SortFunc(done, func(a, b session) int { return cmp.Compare(a.Start, b.Start) })
	return done, late
}

// merged is reading B: the sessions by start that the intervals of all events
// make, whenever they came.
func merged(v *view.View, events []sessionEvent, byTime []int32) (done []session) {
	for _, i := range byTime {
		e := &events[i]
		if n := len(done); n == 0 || done[n-1].End <= e.time {
			done = append(done, session{Span: view.Span{Start: e.time}})
		}
		s := &done[len(done)-1]
		s.End = e.time + v.Window.Gap
		s.add(v, e)
	}
	return done
}

func (s *session) add(v *view.View, e *sessionEvent) {
	s.Add(e.value)
	if v.AsksQuantiles() {
		s.quantiles.Add(e.value)
	}
	if v.AsksDistinct() {
		s.distinct.Add(e.subject)
	}
}

// sessionRows writes both readings of a view by span, A before B: of two sessions
// with one start, B's ends no sooner.
func (t *tables) sessionRows(view int, a, b []session) error {
	for len(a)+len(b) > 0 {
		reading, from := answer.A, &a
		if len(a) == 0 || len(b) > 0 && b[0].Start < a[0].Start {
			reading, from = answer.B, &b
		}
		s := &(*from)[0]
		row := t.row(view, s.Span, t.replay.key, t.replay.partition)
		row.Reading, row.Agg = reading, s.agg()
		if err := t.writeRow(&row); err != nil {
			return err
		}
		*from = (*from)[1:]
	}
	return nil
}

// late writes the judgement on an event that A has no session for.
func (t *tables) late(v *view.View, e *sessionEvent) error {
	r := &t.replay
	return t.writeJudgement(&answer.Judgement{
		Partition: r.partition, Offset: e.offset,
		Cell: result.Cell{
			View: v.ID(), Key: string(r.key), Partition: r.partition,
			Span: view.Span{Start: e.time, End: e.time + v.Window.Gap},
		},
		CauseA: result.Late, Time: e.time, Value: e.value,
		HasID: e.producer != nil, Producer: string(e.producer), Seq: e.seq,
	})
}
