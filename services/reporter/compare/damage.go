package compare

import (
	"cmp"
	"math/bits"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// A processor without exactly once says after each death which input it takes in
// again, or has left out. Damage is accepted by the rule of any cause: folding
// exactly the listed events into one answer must give the other. The list is all
// events of such a range that a cell should have counted, less those which the
// stream says it kept out when they came again; a cell may have been written down
// before the death or not, so each range has happened to it or has not.

// Resumption is a range of a partition's input that the stream took in again, or
// left out.
type Resumption struct {
	Partition int32
	From      int64
	Until     int64 // its end; what was told again may come from beyond it
	Skipped   bool

	// Transaction is the number of the batch that a death tore. What was told twice
	// was told by it at least once.
	Transaction uint64
}

// maxRanges bounds the ranges that are tried for one group, in all combinations.
const maxRanges = 10

// doubt is an event of a range in a cell that should count it once.
type doubt struct {
	event *Event
	of    int // the range, in Stream.Resumed
}

// toldAgain says that the stream may have said twice what it says of a place, in
// these two transactions.
func (c *comparison) toldAgain(at place, first, again uint64) bool {
	return slices.ContainsFunc(c.in.Stream.Resumed, func(r Resumption) bool {
		return !r.Skipped && r.Partition == at.partition && at.offset >= r.From && (first == r.Transaction || again == r.Transaction)
	})
}

// within says that a place is in a range of the kind.
func (c *comparison) within(at place, skipped bool) bool {
	return slices.ContainsFunc(c.in.Stream.Resumed, func(r Resumption) bool { return r.Skipped == skipped && r.holds(at) })
}

func (r *Resumption) holds(at place) bool {
	return r.Partition == at.partition && at.offset >= r.From && at.offset < r.Until
}

// kept counts how often the stream kept a placement out when it came again.
type kept map[Judgement]int

// doubts puts the events of the ranges into their cells, but those which the
// batch leaves out.
func (c *comparison) doubts() {
	if len(c.in.Stream.Resumed) == 0 {
		return
	}
	for i := range c.in.Stream.Resumed {
		r := &c.in.Stream.Resumed[i]
		from, _ := slices.BinarySearchFunc(c.in.Log, r, func(e Event, r *Resumption) int {
			return cmp.Or(cmp.Compare(e.Partition, r.Partition), cmp.Compare(e.Offset, r.From))
		})
		for n := from; n < len(c.in.Log) && r.holds(place{c.in.Log[n].Partition, c.in.Log[n].Offset}); n++ {
			c.doubtful(&c.in.Log[n], i)
		}
	}
}

func (c *comparison) doubtful(e *Event, of int) {
	for name := range c.placements(e) {
		late := Judgement{Partition: e.Partition, Offset: e.Offset, Cause: result.Late, View: name.View, Span: name.Span}
		if c.judgedOut(late) || c.keptOut(late, of) {
			continue
		}
		x := c.cell(name)
		x.doubts = append(x.doubts, doubt{e, of})
	}
}

// keptOut says that the event of a late placement was kept out when the range
// came again. Of several ranges with the event it was so in the last ones.
func (c *comparison) keptOut(late Judgement, of int) bool {
	if c.in.Stream.Resumed[of].Skipped {
		return false
	}
	out := c.kept[late]
	for _, cause := range []result.Cause{result.Duplicate, result.Stale} {
		out += c.kept[Judgement{Partition: late.Partition, Offset: late.Offset, Cause: cause}]
	}
	later := 0
	for i := range c.in.Stream.Resumed[of+1:] {
		if r := &c.in.Stream.Resumed[of+1+i]; !r.Skipped && r.holds(place{late.Partition, late.Offset}) {
			later++
		}
	}
	return out > later
}

// damaged looks for ranges that account for a group whose rows are not A's closed
// ones, and lists their events as its causes.
func (c *comparison) damaged(g *group) bool {
	var all []doubt
	for _, x := range g.cells {
		for _, d := range x.doubts {
			if g.closed || c.closedA(g, d.event) {
				all = append(all, d)
			}
		}
	}
	var ranges []int
	for _, d := range all {
		if !slices.Contains(ranges, d.of) {
			ranges = append(ranges, d.of)
		}
	}
	switch {
	case len(c.in.Stream.Resumed) == 0 || c.asA(g, nil, nil):
		return false
	case c.afterLoss(g):
		return true
	case len(ranges) == 0 || len(ranges) > maxRanges:
		return false
	}
	// The fewest first: most cells were hit by one.
	sets := make([]uint, 0, 1<<len(ranges)-1)
	for set := uint(1); set < 1<<len(ranges); set++ {
		sets = append(sets, set)
	}
	slices.SortStableFunc(sets, func(a, b uint) int { return bits.OnesCount(a) - bits.OnesCount(b) })
	for _, set := range sets {
		var again, skipped []*Event
		for _, d := range all {
			switch {
			case set&(1<<slices.Index(ranges, d.of)) == 0:
			case c.in.Stream.Resumed[d.of].Skipped:
				skipped = append(skipped, d.event)
			default:
				again = append(again, d.event)
			}
		}
		if c.asA(g, again, skipped) {
			w := g.causes()
			w.again, w.skipped = again, skipped
			g.why, g.damaged = w, true
			return true
		}
	}
	return false
}

// asA says that the stream's rows with what it left out are A's closed rows with
// what it took in again.
func (c *comparison) asA(g *group, again, skipped []*Event) bool {
	closedA := func(x *cell) *result.Agg {
		if x.a == nil || !c.closed(x.name) {
			return nil
		}
		return x.a
	}
	if len(again)+len(skipped) == 0 {
		return slices.Equal(g.rows(closedA), g.rows(sideStream))
	}
	return slices.Equal(g.merge(closedA, again), g.merge(sideStream, skipped))
}

// closedA says that an event lies in a row of A that is closed.
func (c *comparison) closedA(g *group, e *Event) bool {
	return slices.ContainsFunc(g.cells, func(x *cell) bool { return x.a != nil && c.closed(x.name) && g.holds(x.name.Span, e) })
}

// holds says that a row lies over an event's time: a session still goes on for the
// gap behind it. The row then counts the event, unless it was left out.
func (g *group) holds(row view.Span, e *Event) bool {
	return row.Start <= e.Time && e.Time+g.view.Window.Gap <= row.End && e.Time < row.End
}

func sideStream(x *cell) *result.Agg { return x.stream }

// lostExclusion stands for one that the stream did not come to say.
func (c *comparison) lostExclusion(j Judgement) (Exclusion, bool) {
	e := c.at(j.Partition, j.Offset)
	if e == nil {
		return Exclusion{}, false
	}
	x := Exclusion{Event: *e, Cause: j.Cause, View: j.View, Span: j.Span}
	if v := c.views[j.View]; v != nil {
		x.Watermark = j.Span.End + v.Lateness
	}
	return x, true
}

// tellDamage fills the report's part.
func (c *comparison) tellDamage() {
	if len(c.in.Stream.Resumed) == 0 {
		return
	}
	d := &report.Damage{RowsAgain: c.rowsTwice, ToldAgain: c.toldTwice, NotTold: c.notTold, Otherwise: c.otherwise}
	for i := range c.in.Stream.Resumed {
		r := &c.in.Stream.Resumed[i]
		kind := report.CauseAgain
		if r.Skipped {
			kind = report.CauseSkipped
		}
		if r.Until > r.From {
			d.Ranges = append(d.Ranges, report.Range{Kind: kind, Partition: r.Partition, From: r.From, Until: r.Until})
		}
	}
	c.r.Damage = d
}
