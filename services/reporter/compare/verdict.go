package compare

import (
	"fmt"
	"iter"
	"math/big"
	"slices"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// rows puts the answers of stream, A and B into the cells.
func (c *comparison) rows() {
	for name, final := range c.in.Stream.Final {
		if !c.below(name.Partition, final.Offset) {
			continue // the stream is ahead of the cut
		}
		x := c.cell(name)
		x.stream = x.share(final.Agg)
		c.rowsTwice += uint64(final.Again)
		if !c.views[name.View].Closed(name.Span.End, final.Watermark) {
			c.faultIn(name, report.Fault{Check: checkStream,
				What: "the stream called this row final at the watermark " + report.Time(final.Watermark).String() + ", which does not close its window"})
		}
	}
	for name, row := range c.in.Batch.A {
		x := c.cell(name)
		x.a = x.share(row.Agg)
		c.checkClosed(name, row, "A")
	}
	for name, row := range c.in.Batch.B {
		x := c.cell(name)
		x.b = x.share(row.Agg)
		c.checkClosed(name, row, "B")
	}
}

func (c *comparison) checkClosed(name result.Cell, row Row, reading string) {
	if row.Closed != c.closed(name) {
		c.faultIn(name, report.Fault{Check: checkMerge, What: fmt.Sprintf(
			"the batch's reading %s says that this window's being closed is %t, and the watermark %s at the cut says otherwise", reading, row.Closed, c.cut[name.Partition].Watermark)})
	}
}

// verdicts judges each group alone, and returns all cells in order.
func (c *comparison) verdicts() []report.Cell {
	all := make([]*cell, 0, len(c.cells))
	for name, x := range c.cells {
		if c.views[name.View] != nil && c.cut[name.Partition] != nil {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b *cell) int { return a.name.Compare(b.name) })

	totals, counts := map[string]*total{}, map[string]*report.CellCounts{}
	c.r.Views = make([]report.View, len(c.in.Views.Views))
	for i := range c.in.Views.Views {
		v := &c.in.Views.Views[i]
		totals[v.ID()], counts[v.ID()] = newTotal(v), &c.r.Views[i].Cells
	}
	var differ []difference
	for g := range c.groups(all) {
		verdict := c.verdict(g, counts[g.name.View])
		g.settle(verdict)
		if g.compared() {
			totals[g.name.View].add(g)
		} else if g.damaged {
			totals[g.name.View].addCauses(g.why)
		}
		if g.view.Window.Kind == view.Session {
			k := sessionKey{g.name.View, timeline{g.name.Key, g.name.Partition}}
			c.extents[k] = append(c.extents[k], extent{g.name.Span, g.compared()})
		}
		if verdict == report.CellExplained || verdict == report.CellUnexplained || verdict == report.CellDamaged {
			differ = append(differ, difference{g.cells, verdict == report.CellUnexplained, g.gap()})
		}
	}
	c.list(differ)
	c.totals(totals)

	cells := make([]report.Cell, 0, len(all))
	for _, x := range all {
		if x.verdict != "" {
			cells = append(cells, c.show(x))
		}
	}
	return cells
}

// difference is a group whose sides are not equal.
type difference struct {
	cells []*cell
	wrong bool
	gap   *big.Int // of the stream's and B's sums
}

func (g *group) gap() *big.Int {
	var stream, b result.Plain
	for _, x := range g.cells {
		stream.Merge(plain(x.stream))
		b.Merge(plain(x.b))
	}
	d := new(big.Int).Sub(b.BigSum(), stream.BigSum())
	return d.Abs(d)
}

// list picks the differing cells for the report: what is unexplained first,
// then the largest gaps between the stream's and B's sums.
func (c *comparison) list(all []difference) {
	slices.SortStableFunc(all, func(a, b difference) int {
		if a.wrong != b.wrong {
			if a.wrong {
				return -1
			}
			return 1
		}
		return b.gap.Cmp(a.gap)
	})
	d := &c.r.Differences
	d.Total, d.Listed = len(all), []report.Cell{}
	for _, one := range all {
		for _, x := range one.cells {
			if x.verdict != "" && len(d.Listed) < report.MaxListed {
				d.Listed = append(d.Listed, c.show(x))
			}
		}
	}
}

// show is the cell for a reader. Equal sides share their figures, which are many.
func (c *comparison) show(x *cell) report.Cell {
	out := report.Cell{
		View: c.views[x.name.View].Name, Key: x.name.Key, Partition: x.name.Partition,
		Start: report.Time(x.name.Span.Start), End: report.Time(x.name.Span.End),
		Verdict: x.verdict, Group: x.group, Causes: x.why.causes(c.views[x.name.View]),
	}
	out.B = figures(x.b)
	if out.A = out.B; !same(x.a, x.b) {
		out.A = figures(x.a)
	}
	if out.Stream = out.A; !same(x.stream, x.a) {
		out.Stream = figures(x.stream)
	}
	if out.Truth = out.B; !same(x.truth, x.b) {
		out.Truth = figures(x.truth)
	}
	return out
}

// verdict is the heart: three comparisons of whole rows, each with exactly the
// listed events folded in.
func (c *comparison) verdict(g *group, n *report.CellCounts) string {
	if g.partial {
		n.Partial++
		return report.CellPartial
	}
	streamIsA := !c.damaged(g)
	for _, x := range g.cells {
		if !g.damaged {
			streamIsA = c.streamIsA(g, x) && streamIsA
		}
	}
	if !g.closed && g.damaged && !g.wrong { // in sessions that are final, and connected with open ones
		n.Closed++
		n.Damaged++
		return report.CellDamaged
	}
	if !g.closed {
		n.Open++
		if g.wrong {
			return report.CellUnexplained
		}
		return report.CellOpen
	}
	n.Closed++
	if streamIsA {
		n.StreamIsA++
	}
	// One cell without a cause, as most are, needs no folding.
	x, alone := g.cells[0], len(g.cells) == 1 && g.why == nil
	if alone && same(x.a, x.b) || c.mergedIsB(g) {
		n.MergedIsB++
	}
	if alone && same(x.truth, x.b) || c.truthIsB(g) {
		n.TruthIsB++
	}
	if !alone && len(g.rows(sideA)) > len(g.rows(sideB)) {
		w := g.causes()
		w.split = true
		g.why = w
	}
	switch {
	case g.wrong:
		n.Unexplained++
		return report.CellUnexplained
	case g.damaged:
		n.Damaged++
		return report.CellDamaged
	case !slices.ContainsFunc(g.cells, func(x *cell) bool { return !same(x.truth, x.b) || !same(x.stream, x.b) }):
		n.Same++
		return report.CellSame
	}
	n.Explained++
	return report.CellExplained
}

// streamIsA compares one cell's row byte for byte: the stream has those of A
// that are closed, and no others.
func (c *comparison) streamIsA(g *group, x *cell) bool {
	want, what := x.a, "the stream's final row is not A's"
	if !c.closed(x.name) {
		want, what = nil, "the stream says this row is final, and the batch that its window is open at the cut"
	}
	if same(x.stream, want) || failpoint.Mutant("reporter/tolerant") && plain(x.stream).Count == plain(want).Count {
		return true
	}
	switch {
	case x.stream == nil:
		what += ": the row is missing"
	case want == nil:
		what += ": there should be no row"
	}
	c.differ(g, x.name, report.Fault{Check: checkStream, What: what, Want: figures(want), Got: figures(x.stream)})
	return false
}

func (c *comparison) mergedIsB(g *group) bool {
	w := g.causes()
	return c.equal(g, checkMerge, "A merged with exactly the placements that the stream left out is not B",
		g.merge(sideA, w.late, w.stale), g.rows(sideB))
}

func (c *comparison) truthIsB(g *group) bool {
	w := g.causes()
	return c.equal(g, checkTruth, "the truth merged with the named causes is not B",
		g.merge(sideTruth, w.foreign, w.elsewhere), g.merge(sideB, w.lost))
}

func sideTruth(x *cell) *result.Agg { return x.truth }
func sideA(x *cell) *result.Agg     { return x.a }
func sideB(x *cell) *result.Agg     { return x.b }

func (g *group) causes() *why {
	if g.why == nil {
		return &why{}
	}
	return g.why
}

// equal compares two merges row by row, in window and bytes.
func (c *comparison) equal(g *group, check, what string, want, got []piece) bool {
	if slices.Equal(want, got) {
		return true
	}
	f := report.Fault{Check: check, What: what}
	i := 0
	for i < min(len(want), len(got)) && want[i] == got[i] {
		i++
	}
	if i < len(want) {
		f.Want = figures(&want[i].row)
	} else {
		f.What += ": there should be no row"
	}
	if i < len(got) {
		f.Got = figures(&got[i].row)
	} else {
		f.What += ": the row is missing"
	}
	if f.Want != nil && f.Got != nil && want[i].span != got[i].span {
		f.What += fmt.Sprintf(": it is the session %s, and %s belongs there", got[i].span, want[i].span)
	}
	c.differ(g, g.name, f)
	return false
}

func (c *comparison) differ(g *group, name result.Cell, f report.Fault) {
	g.wrong = true
	c.fault(c.inCell(name, f))
}

// all are the causes with their events, in the order of every listing.
func (w *why) all() iter.Seq2[string, []*Event] {
	return func(yield func(string, []*Event) bool) {
		for i, events := range [...][]*Event{w.late, nil, w.stale, w.foreign, w.elsewhere, w.lost, w.again, w.skipped, w.admitted, w.refused, w.unclosed} {
			named := len(events) > 0 || causeOrder[i] == report.CauseSplit && w.split
			if named && !yield(causeOrder[i], events) {
				return
			}
		}
	}
}

// causes lists why a cell differs, for a reader.
func (w *why) causes(v *view.View) []report.CellCause {
	if w == nil {
		return nil
	}
	var list []report.CellCause
	for cause, events := range w.all() {
		row := result.NewFold(v)
		for _, e := range events {
			row.Event(e.Value, []byte(e.Subject))
		}
		out := report.CellCause{Cause: cause, Figures: report.NewFigures(row.Agg())}
		for _, e := range events[:min(len(events), maxExamples)] {
			out.Examples = append(out.Examples, ref(e))
		}
		list = append(list, out)
	}
	return list
}
