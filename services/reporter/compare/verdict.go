package compare

import (
	"fmt"
	"iter"
	"math/big"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/services/reporter/report"
)

// rows puts the answers of stream, A and B into the cells.
func (c *comparison) rows() {
	for name, final := range c.in.Stream.Final {
		if !c.below(name.Partition, final.Offset) {
			continue // the stream is ahead of the cut
		}
		c.cell(name).stream = side{final.Agg, true}
		if !c.views[name.View].Closed(name.Span.End, final.Watermark) {
			c.cell(name).wrong = true
			c.faults = append(c.faults, c.inCell(name, report.Fault{Check: checkStream,
				What: "the stream called this row final at the watermark " + report.Time(final.Watermark).String() + ", which does not close its window"}))
		}
	}
	for name, row := range c.in.Batch.A {
		c.cell(name).a = side{row.Agg, true}
		c.checkClosed(name, row, "A")
	}
	for name, row := range c.in.Batch.B {
		c.cell(name).b = side{row.Agg, true}
		c.checkClosed(name, row, "B")
	}
}

func (c *comparison) checkClosed(name result.Cell, row Row, reading string) {
	if row.Closed != c.closed(name) {
		c.cell(name).wrong = true
		c.faults = append(c.faults, c.inCell(name, report.Fault{Check: checkMerge, What: fmt.Sprintf(
			"the batch's reading %s says that this window's being closed is %t, and the watermark %s at the cut says otherwise", reading, row.Closed, c.cut[name.Partition].Watermark)}))
	}
}

// verdicts judges each cell alone, and returns all in order.
func (c *comparison) verdicts() ([]result.Cell, []report.Cell) {
	names := make([]result.Cell, 0, len(c.cells))
	for name := range c.cells {
		if c.views[name.View] != nil && c.cut[name.Partition] != nil {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, result.Cell.Compare)

	counts := map[string]*report.CellCounts{}
	c.r.Views = make([]report.View, len(c.in.Views.Views))
	for i := range c.in.Views.Views {
		counts[c.in.Views.Views[i].ID()] = &c.r.Views[i].Cells
	}
	cells := make([]report.Cell, len(names))
	for i, name := range names {
		x := c.cells[name]
		cells[i] = report.Cell{
			View: c.views[name.View].Name, Key: name.Key, Partition: name.Partition,
			Start: report.Time(name.Span.Start), End: report.Time(name.Span.End),
			Verdict: c.verdict(name, x, counts[name.View]),
			Causes:  x.why.causes(),
		}
		x.show(&cells[i])
	}
	c.list(cells)
	return names, cells
}

// list picks the differing cells for the report: what is unexplained first,
// then the largest gaps between the stream's and B's sums.
func (c *comparison) list(cells []report.Cell) {
	type candidate struct {
		cell  *report.Cell
		wrong bool
		gap   *big.Int
	}
	var all []candidate
	for i := range cells {
		x := &cells[i]
		if x.Verdict == report.CellExplained || x.Verdict == report.CellUnexplained {
			d := new(big.Int).Sub(sumOf(x.B), sumOf(x.Stream))
			all = append(all, candidate{x, x.Verdict == report.CellUnexplained, d.Abs(d)})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		if a.wrong != b.wrong {
			if a.wrong {
				return -1
			}
			return 1
		}
		return b.gap.Cmp(a.gap)
	})
	c.r.Differences.Total = len(all)
	c.r.Differences.Listed = []report.Cell{}
	for _, x := range all[:min(len(all), report.MaxListed)] {
		c.r.Differences.Listed = append(c.r.Differences.Listed, *x.cell)
	}
}

// show writes the four sides; equal ones share their figures, which are many.
func (x *cell) show(out *report.Cell) {
	out.B = x.b.figures()
	if out.A = out.B; x.a != x.b {
		out.A = x.a.figures()
	}
	if out.Stream = out.A; x.stream != x.a {
		out.Stream = x.stream.figures()
	}
	if out.Truth = out.B; x.truth != x.b {
		out.Truth = x.truth.figures()
	}
}

func sumOf(f *report.Figures) *big.Int {
	switch {
	case f == nil:
		return new(big.Int)
	case f.WholeSum != "":
		if n, ok := new(big.Int).SetString(f.WholeSum, 10); ok {
			return n
		}
		panic("BUG: not a whole number: " + f.WholeSum)
	}
	return big.NewInt(f.Sum)
}

// verdict is the heart: three comparisons of whole rows, each with exactly the
// listed events folded in.
func (c *comparison) verdict(name result.Cell, x *cell, n *report.CellCounts) string {
	if !c.closed(name) {
		n.Open++
		if x.stream.has {
			c.differ(name, x, checkStream, "the stream says this row is final, and the batch that its window is open at the cut", side{}, x.stream)
		}
		if x.wrong {
			return report.CellUnexplained
		}
		return report.CellOpen
	}
	n.Closed++

	if x.stream == x.a {
		n.StreamIsA++
	} else {
		c.differ(name, x, checkStream, "the stream's final row is not A's", x.a, x.stream)
	}

	merged := x.a.row
	if x.why != nil {
		for _, late := range x.why.late {
			merged.Add(late.Value)
		}
		fold(&merged, x.why.stale)
	}
	if folded(merged) == x.b {
		n.MergedIsB++
	} else {
		c.differ(name, x, checkMerge, "A merged with exactly the placements that the stream left out is not B", folded(merged), x.b)
	}

	truth, all := x.truth.row, x.b.row
	if x.why != nil {
		fold(&truth, x.why.foreign)
		fold(&truth, x.why.elsewhere)
		fold(&all, x.why.lost)
	}
	// Wrong answers can hold a row that counts nothing: presence is compared too.
	if folded(truth) == folded(all) && x.b.has == (x.b.row.Count > 0) {
		n.TruthIsB++
	} else {
		c.differ(name, x, checkTruth, "the truth merged with the named causes is not B", folded(truth), x.b)
	}

	switch {
	case x.wrong:
		n.Unexplained++
		return report.CellUnexplained
	case x.truth == x.b && x.stream == x.b:
		n.Same++
		return report.CellSame
	}
	n.Explained++
	return report.CellExplained
}

func fold(row *result.Agg, events []*Event) {
	for _, e := range events {
		row.Add(e.Value)
	}
}

func (c *comparison) differ(name result.Cell, x *cell, check, what string, want, got side) {
	x.wrong = true
	switch {
	case !got.has && want.has:
		what += ": the row is missing"
	case got.has && !want.has:
		what += ": there should be no row"
	}
	c.faults = append(c.faults, c.inCell(name, report.Fault{Check: check, What: what, Want: want.figures(), Got: got.figures()}))
}

// all are the causes with their events, in the order of every listing.
func (w *why) all() iter.Seq2[string, []*Event] {
	return func(yield func(string, []*Event) bool) {
		late := make([]*Event, len(w.late))
		for i, x := range w.late {
			late[i] = &x.Event
		}
		for i, events := range [][]*Event{late, w.stale, w.foreign, w.elsewhere, w.lost} {
			if len(events) > 0 && !yield(causeOrder[i], events) {
				return
			}
		}
	}
}

// causes lists why a cell differs, for a reader.
func (w *why) causes() []report.CellCause {
	if w == nil {
		return nil
	}
	var list []report.CellCause
	for cause, events := range w.all() {
		var row result.Agg
		fold(&row, events)
		out := report.CellCause{Cause: cause, Figures: report.NewFigures(row)}
		for _, e := range events[:min(len(events), maxExamples)] {
			out.Examples = append(out.Examples, ref(e))
		}
		list = append(list, out)
	}
	return list
}
