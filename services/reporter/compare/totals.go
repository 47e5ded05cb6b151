package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// maxTopKeys bounds Late.TopKeys.
const maxTopKeys = 10

// beyond are the bounds of Late.Beyond, in µs.
var beyond = []int64{
	0, 15 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 8 * hour, 24 * hour, 7 * 24 * hour, math.MaxInt64,
}

const (
	minute = int64(time.Minute / time.Microsecond)
	hour   = 60 * minute
)

// total gathers one view's closed cells.
type total struct {
	truth, stream, a, b, late           result.Agg
	rowsTruth, rowsStream, rowsA, rowsB int

	points     map[int64]*point
	keys       map[string]*keyTotal
	placements uint64           // of the log, in closed cells
	stale      uint64           // placements left out as stale
	perKey     map[string]int64 // placements of the log less those of the stream, late and stale
	events     uint64           // behind the late placements
	lastLate   place
	beyond     []uint64
	hourOfDay  []uint64
	causes     map[string]*causeTotal
}

type point struct{ truth, stream, a, b, late result.Agg }

type keyTotal struct{ stream, b, late result.Agg }

type causeTotal struct {
	events     map[eventKey]struct{}
	placements uint64
	cells      int
}

type eventKey struct {
	place
	id
}

// totals sums up the cells, view by view, and states the identities.
func (c *comparison) totals(names []result.Cell) {
	totals := map[string]*total{}
	for _, v := range c.views {
		totals[v.ID()] = &total{
			points: map[int64]*point{}, keys: map[string]*keyTotal{}, perKey: map[string]int64{},
			lastLate: place{-1, -1}, beyond: make([]uint64, len(beyond)-1), hourOfDay: make([]uint64, 24),
			causes: map[string]*causeTotal{},
		}
	}
	var last result.Cell
	var counted [4]bool
	for _, name := range names {
		if !c.closed(name) {
			continue
		}
		t, x := totals[name.View], c.cells[name]
		row := name
		row.Partition = 0
		if row != last {
			last, counted = row, [4]bool{}
		}
		t.add(name, x, &counted)
	}
	for i := range c.in.Stream.Exclusions {
		if x := &c.in.Stream.Exclusions[i]; x.Cause == result.Late && c.views[x.View] != nil {
			totals[x.View].addLate(c.views[x.View], x)
		}
	}
	overall := map[string]*causeTotal{}
	for i := range c.in.Views.Views {
		v := &c.in.Views.Views[i]
		t := totals[v.ID()]
		t.fill(v, &c.r.Views[i])
		c.r.Views[i].Causes = causeList(t.causes)
		for cause, n := range t.causes {
			o := causeOf(overall, cause)
			o.placements += n.placements
			o.cells += n.cells
			for e := range n.events {
				o.events[e] = struct{}{}
			}
		}
	}
	c.r.Causes = causeList(overall)
	c.placementIdentities(totals)
}

// add takes one closed cell in. counted says which sides of the cell's row
// have already been counted as rows, from other partitions.
func (t *total) add(name result.Cell, x *cell, counted *[4]bool) {
	p := t.points[name.Span.Start]
	if p == nil {
		p = &point{}
		t.points[name.Span.Start] = p
	}
	k := t.key(name.Key)
	for i, s := range []struct {
		side
		total, point *result.Agg
		rows         *int
	}{
		{x.truth, &t.truth, &p.truth, &t.rowsTruth},
		{x.stream, &t.stream, &p.stream, &t.rowsStream},
		{x.a, &t.a, &p.a, &t.rowsA},
		{x.b, &t.b, &p.b, &t.rowsB},
	} {
		s.total.Merge(s.row.Plain)
		s.point.Merge(s.row.Plain)
		if s.has && !counted[i] {
			counted[i] = true
			*s.rows++
		}
	}
	k.stream.Merge(x.stream.row.Plain)
	k.b.Merge(x.b.row.Plain)
	t.perKey[name.Key] -= int64(x.stream.row.Count)

	if x.why == nil {
		return
	}
	for _, late := range x.why.late {
		p.late.Add(late.Value)
		t.late.Add(late.Value)
		k.late.Add(late.Value)
	}
	t.perKey[name.Key] -= int64(len(x.why.late) + len(x.why.stale))
	t.stale += uint64(len(x.why.stale))
	for cause, events := range x.why.all() {
		n := causeOf(t.causes, cause)
		n.cells++
		n.placements += uint64(len(events))
		for _, e := range events {
			n.events[eventKey{place{e.Partition, e.Offset}, id{e.Producer, e.Seq}}] = struct{}{}
		}
	}
}

func (t *total) key(name string) *keyTotal {
	k := t.keys[name]
	if k == nil {
		k = &keyTotal{}
		t.keys[name] = k
	}
	return k
}

// addLate takes one late placement into the distributions.
func (t *total) addLate(v *view.View, x *Exclusion) {
	if at := (place{x.Partition, x.Offset}); at != t.lastLate { // exclusions are in the order of places
		t.lastLate = at
		t.events++
	}
	t.hourOfDay[((x.Time/hour)%24+24)%24]++
	since := x.Watermark - (x.Span.End + v.Lateness)
	for i := range t.beyond {
		if since >= beyond[i] && since < beyond[i+1] {
			t.beyond[i]++
			break
		}
	}
}

func causeOf(m map[string]*causeTotal, cause string) *causeTotal {
	n := m[cause]
	if n == nil {
		n = &causeTotal{events: map[eventKey]struct{}{}}
		m[cause] = n
	}
	return n
}

// causeOrder is the order of every list of causes.
var causeOrder = []string{report.CauseLate, report.CauseStale, report.CauseForeign, report.CauseElsewhere, report.CauseLost}

func causeList(m map[string]*causeTotal) []report.Cause {
	list := []report.Cause{}
	for _, cause := range causeOrder {
		if n := m[cause]; n != nil {
			list = append(list, report.Cause{Cause: cause, Meaning: report.Meaning(cause),
				Events: uint64(len(n.events)), Placements: n.placements, Cells: n.cells})
		}
	}
	return list
}

// fill writes what a view's total says.
func (t *total) fill(v *view.View, out *report.View) {
	out.ID, out.Name, out.Lateness = v.ID(), v.Name, v.Lateness
	out.Window = report.Window{Kind: v.Window.Kind.String(), Size: v.Window.Size, Every: v.Window.Hop, Words: words(v.Window)}
	for _, a := range v.Aggregates {
		out.Aggregates = append(out.Aggregates, string(a))
	}
	out.Sides = report.Sides{
		Truth:  report.Side{Rows: t.rowsTruth, Figures: report.NewFigures(t.truth)},
		Stream: report.Side{Rows: t.rowsStream, Figures: report.NewFigures(t.stream)},
		A:      report.Side{Rows: t.rowsA, Figures: report.NewFigures(t.a)},
		B:      report.Side{Rows: t.rowsB, Figures: report.NewFigures(t.b)},
	}
	out.Series = make([]report.Point, 0, len(t.points))
	for start, p := range t.points {
		out.Series = append(out.Series, report.Point{
			Start: report.Time(start), Late: p.late.Count,
			Truth: report.NewFigures(p.truth), Stream: report.NewFigures(p.stream), A: report.NewFigures(p.a), B: report.NewFigures(p.b),
		})
	}
	slices.SortFunc(out.Series, func(a, b report.Point) int { return cmp.Compare(a.Start, b.Start) })
	out.Late = report.Late{Figures: report.NewFigures(t.late), Events: t.events, HourOfDay: t.hourOfDay, TopKeys: t.topKeys()}
	for i, n := range t.beyond {
		out.Late.Beyond = append(out.Late.Beyond, report.Bucket{From: beyond[i], To: beyond[i+1], Count: n})
	}
}

func (t *total) topKeys() []report.KeyLate {
	list := []report.KeyLate{}
	for key, k := range t.keys {
		if k.late.Count == 0 {
			continue
		}
		list = append(list, report.KeyLate{
			Key: key, Late: report.NewFigures(k.late), B: report.NewFigures(k.b), Streamed: report.NewFigures(k.stream),
			LateShare: float64(k.late.Count) / float64(k.late.Count+k.stream.Count),
		})
	}
	slices.SortFunc(list, func(a, b report.KeyLate) int {
		return cmp.Or(cmp.Compare(b.Late.Count, a.Late.Count), strings.Compare(a.Key, b.Key))
	})
	return list[:min(len(list), maxTopKeys)]
}

// words is how a sentence speaks of a window.
func words(w view.Window) string {
	length := report.Length(w.Size)
	switch {
	case w.Kind == view.Hopping:
		return fmt.Sprintf("windows of %s, one beginning every %s", length, strings.TrimPrefix(report.Length(w.Hop), "1 "))
	case w.Size == hour:
		return "hourly windows"
	case w.Size == 24*hour:
		return "daily windows"
	}
	return "windows of " + length
}
