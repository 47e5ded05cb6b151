package compare

import (
	"cmp"
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

// total gathers one view's closed groups.
type total struct {
	view *view.View
	// Most cells have four equal sides: those are added once.
	shared, truth, stream, a, b tally
	rows                        [4]int // of truth, stream, A, B
	last                        result.Cell
	counted                     [4]bool // sides that have a row of last, in any partition
	late                        *result.Fold

	points     map[int64]*point
	keys       map[string]*keyTotal
	placements uint64 // of the log, in closed groups
	stale      uint64 // placements left out as stale
	besides    uint64 // placements counted once more, or not by A
	missing    uint64 // placements of A not counted
	beyond     []uint64
	hourOfDay  []uint64
	causes     map[string]*causeTotal
}

type point struct {
	truth, stream, a, b result.Plain
	late                uint64
}

type keyTotal struct {
	stream, b, late result.Plain
	left            int64 // placements of the log less those of the stream, late and stale
}

type causeTotal struct {
	events     map[eventKey]struct{}
	placements uint64
	cells      int
}

type eventKey struct {
	place
	id
}

func newTotal(v *view.View) *total {
	return &total{
		view: v, late: result.NewFold(v), points: map[int64]*point{}, keys: map[string]*keyTotal{},
		beyond: make([]uint64, len(beyond)-1), hourOfDay: make([]uint64, 24), causes: map[string]*causeTotal{},
	}
}

// totals writes what the views' totals say, and states their identities.
func (c *comparison) totals(totals map[string]*total) {
	overall := map[string]*causeTotal{}
	for i := range c.in.Views.Views {
		v, out := &c.in.Views.Views[i], &c.r.Views[i]
		t := totals[v.ID()]
		t.fill(out)
		out.Causes, out.Stages = causeList(t.causes), c.in.Stream.Stages[v.ID()]
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

// add takes one closed group in.
func (t *total) add(g *group) {
	for _, x := range g.cells {
		t.addCell(x)
	}
	if g.why == nil {
		return
	}
	k := t.key(g.name.Key)
	for i, e := range g.why.late {
		t.late.Event(e.Value, []byte(e.Subject))
		k.late.Add(e.Value)
		t.addLate(g, e, g.why.since[i])
	}
	besides := len(g.why.again) + len(g.why.admitted)
	missing := len(g.why.skipped) + len(g.why.refused) + len(g.why.unclosed)
	k.left += int64(besides) - int64(len(g.why.late)+len(g.why.stale)+missing)
	t.stale += uint64(len(g.why.stale))
	t.besides += uint64(besides)
	t.missing += uint64(missing)
	t.addCauses(g.why)
}

func (t *total) addCauses(w *why) {
	for cause, events := range w.all() {
		n := causeOf(t.causes, cause)
		n.cells++
		n.placements += uint64(len(events))
		for _, e := range events {
			n.events[eventKey{place{e.Partition, e.Offset}, id{e.Producer, e.Seq}}] = struct{}{}
		}
	}
}

func (t *total) addCell(x *cell) {
	sides := [4]*result.Agg{x.truth, x.stream, x.a, x.b}
	p, k := t.point(x.name.Span.Start), t.key(x.name.Key)
	for i, to := range [4]*result.Plain{&p.truth, &p.stream, &p.a, &p.b} {
		to.Merge(plain(sides[i]))
	}
	k.stream.Merge(plain(x.stream))
	k.b.Merge(plain(x.b))
	k.left -= int64(plain(x.stream).Count)

	if same(x.truth, x.b) && same(x.stream, x.b) && same(x.a, x.b) {
		t.shared.add(x.b)
	} else {
		for i, to := range [4]*tally{&t.truth, &t.stream, &t.a, &t.b} {
			to.add(sides[i])
		}
	}

	// For a reader a window of a key is one row, whatever the partitions; sessions
	// are per partition, and come in another order.
	row := x.name
	row.Partition = 0
	if row != t.last {
		t.last, t.counted = row, [4]bool{}
	}
	for i, row := range sides {
		if row != nil && !t.counted[i] {
			t.counted[i] = true
			t.rows[i]++
		}
	}
}

func (t *total) point(start int64) *point {
	start = report.Slot(t.view.Window, start)
	p := t.points[start]
	if p == nil {
		p = &point{}
		t.points[start] = p
	}
	return p
}

func (t *total) key(name string) *keyTotal {
	k := t.keys[name]
	if k == nil {
		k = &keyTotal{}
		t.keys[name] = k
	}
	return k
}

// addLate takes one late placement into the distributions. since is how long
// its window had been closed, in µs.
func (t *total) addLate(g *group, e *Event, since int64) {
	at := g.name.Span.Start
	if t.view.Window.Kind == view.Session {
		at = e.Time
	}
	t.point(at).late++
	t.hourOfDay[((e.Time/hour)%24+24)%24]++
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
var causeOrder = []string{report.CauseLate, report.CauseSplit, report.CauseStale, report.CauseForeign, report.CauseElsewhere, report.CauseLost, report.CauseAgain, report.CauseSkipped, report.CauseAdmitted, report.CauseRefused, report.CauseUnclosed}

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
func (t *total) fill(out *report.View) {
	v := t.view
	out.ID, out.Name, out.Lateness = v.ID(), v.Name, v.Lateness
	out.Window = report.Window{Kind: v.Window.Kind.String(), Size: v.Window.Size, Every: v.Window.Hop, Gap: v.Window.Gap, Words: report.WindowWords(v.Window)}
	for _, a := range v.Aggregates {
		out.Aggregates = append(out.Aggregates, string(a))
	}
	for i, side := range [4]*report.Side{&out.Sides.Truth, &out.Sides.Stream, &out.Sides.A, &out.Sides.B} {
		sum := [4]*tally{&t.truth, &t.stream, &t.a, &t.b}[i]
		sum.merge(&t.shared)
		*side = report.Side{Rows: t.rows[i], Figures: report.NewFigures(sum.agg())}
	}
	out.Series = make([]report.Point, 0, len(t.points))
	for start, p := range t.points {
		out.Series = append(out.Series, report.Point{
			Start: report.Time(start), Late: p.late,
			Truth: report.Plain(p.truth), Stream: report.Plain(p.stream), A: report.Plain(p.a), B: report.Plain(p.b),
		})
	}
	slices.SortFunc(out.Series, func(a, b report.Point) int { return cmp.Compare(a.Start, b.Start) })
	out.Late = report.Late{Figures: report.NewFigures(t.late.Agg()), HourOfDay: t.hourOfDay, TopKeys: t.topKeys()}
	if n := t.causes[report.CauseLate]; n != nil {
		out.Late.Events = uint64(len(n.events))
	}
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
			Key: key, Late: report.Plain(k.late), B: report.Plain(k.b), Streamed: report.Plain(k.stream),
			LateShare: float64(k.late.Count) / float64(k.late.Count+k.stream.Count),
		})
	}
	slices.SortFunc(list, func(a, b report.KeyLate) int {
		return cmp.Or(cmp.Compare(b.Late.Count, a.Late.Count), strings.Compare(a.Key, b.Key))
	})
	return list[:min(len(list), maxTopKeys)]
}
