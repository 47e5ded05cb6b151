package compare

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// group is what is compared together: a cell of a tumbling or hopping view, and
// in a session view all cells of one key in one partition that are connected.
type group struct {
	view  *view.View
	name  result.Cell // with the span of all cells
	cells []*cell
	why   *why // of all cells; nil without a cause
	wrong bool
	// partial: a cell is. Nothing is compared then.
	partial bool
	damaged bool // ranges of input that came again or were left out account for it
	// closed at the cut; of a group with a row in B: when that is.
	closed bool
}

// groups yields all groups of the cells, which are in the order of result.Cell.
func (c *comparison) groups(cells []*cell) iter.Seq[*group] {
	return func(yield func(*group) bool) {
		for len(cells) > 0 {
			n := 1
			for n < len(cells) && cells[n].name.View == cells[0].name.View {
				n++
			}
			v, ofView := c.views[cells[0].name.View], cells[:n]
			cells = cells[n:]
			if v.Window.Kind == view.Session {
				ofView = slices.SortedFunc(slices.Values(ofView), byTimeline)
			}
			for len(ofView) > 0 {
				n, span := 1, ofView[0].name.Span
				if v.Window.Kind == view.Session {
					n, span = connected(ofView)
				}
				if !yield(c.group(v, span, ofView[:n:n])) {
					return
				}
				ofView = ofView[n:]
			}
		}
	}
}

func byTimeline(a, b *cell) int {
	return cmp.Or(strings.Compare(a.name.Key, b.name.Key), cmp.Compare(a.name.Partition, b.name.Partition), cmp.Compare(a.name.Span.Start, b.name.Span.Start))
}

// connected returns how many of the cells, which are ordered by their timelines,
// are connected with the first one, and their whole span.
func connected(cells []*cell) (int, view.Span) {
	first := &cells[0].name
	span := first.Span
	for i, x := range cells {
		if x.name.Key != first.Key || x.name.Partition != first.Partition || x.name.Span.Start >= span.End && i > 0 {
			return i, span
		}
		span.End = max(span.End, x.name.Span.End)
	}
	return len(cells), span
}

func (c *comparison) group(v *view.View, span view.Span, cells []*cell) *group {
	g := &group{view: v, name: cells[0].name, cells: cells, why: cells[0].why}
	g.name.Span = span
	if len(cells) > 1 {
		g.why = together(cells)
	}
	end, answered := int64(0), false
	for _, x := range cells {
		g.wrong = g.wrong || x.wrong
		g.partial = g.partial || x.partial
		if x.b != nil {
			end, answered = max(end, x.name.Span.End), true
		}
	}
	if !answered {
		end = span.End
	}
	g.closed = v.Closed(end, int64(c.cut[g.name.Partition].Watermark))
	return g
}

// together lists the causes of all cells; nil if there is none.
func together(cells []*cell) *why {
	var all why
	for _, x := range cells {
		if x.why != nil {
			all.late = append(all.late, x.why.late...)
			all.since = append(all.since, x.why.since...)
			all.stale = append(all.stale, x.why.stale...)
			all.foreign = append(all.foreign, x.why.foreign...)
			all.elsewhere = append(all.elsewhere, x.why.elsewhere...)
			all.lost = append(all.lost, x.why.lost...)
		}
	}
	for range all.all() {
		return &all
	}
	return nil
}

// settle writes the verdict to the cells that are to be shown, and the causes to
// one of them: B's, if it has a row.
func (g *group) settle(verdict string) {
	if g.view.Window.Kind != view.Session {
		if g.cells[0].verdict = verdict; g.damaged {
			g.cells[0].why = g.why
		}
		return
	}
	span := &report.Span{Start: report.Time(g.name.Span.Start), End: report.Time(g.name.Span.End)}
	carrier := g.cells[0]
	for _, x := range g.cells {
		x.why, x.partial = nil, g.partial
		if carrier.b == nil && (x.b != nil || !carrier.any() && x.any()) {
			carrier = x
		}
		if x.any() {
			x.verdict, x.group = verdict, span
		}
	}
	carrier.verdict, carrier.group, carrier.why = verdict, span, g.why
}

func (g *group) compared() bool { return g.closed && !g.partial }

// any reports whether a side has a row.
func (x *cell) any() bool { return x.truth != nil || x.stream != nil || x.a != nil || x.b != nil }

// piece is a row of a merge.
type piece struct {
	span view.Span
	row  result.Agg
}

// merge joins one side's rows and the events, each as far as they overlap: the
// rows that this side should have if it had counted the events too.
func (g *group) merge(of func(*cell) *result.Agg, events ...[]*Event) []piece {
	type part struct {
		span  view.Span
		row   *result.Agg // or
		event *Event
	}
	var parts []part
	for _, x := range g.cells {
		if row := of(x); row != nil {
			parts = append(parts, part{span: x.name.Span, row: row})
		}
	}
	for _, list := range events {
		for _, e := range list {
			span := g.name.Span
			if g.view.Window.Kind == view.Session {
				span = view.Span{Start: e.Time, End: e.Time + g.view.Window.Gap}
			}
			parts = append(parts, part{span: span, event: e})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.span.Start, b.span.Start) })
	var pieces []piece
	for len(parts) > 0 {
		span, row := parts[0].span, result.NewFold(g.view)
		n := 0
		for ; n < len(parts) && (n == 0 || parts[n].span.Start < span.End); n++ {
			p := &parts[n]
			span.End = max(span.End, p.span.End)
			if p.row != nil {
				row.Row(p.row)
			} else {
				row.Event(p.event.Value, []byte(p.event.Subject))
			}
		}
		pieces = append(pieces, piece{span, row.Agg()})
		parts = parts[n:]
	}
	return pieces
}

// rows are one side's rows as they are.
func (g *group) rows(of func(*cell) *result.Agg) []piece {
	var pieces []piece
	for _, x := range g.cells {
		if row := of(x); row != nil {
			pieces = append(pieces, piece{x.name.Span, *row})
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(a.span.Start, b.span.Start) })
	return pieces
}

// extent is where a group lies in its timeline.
type extent struct {
	view.Span
	compared bool
}

// compared reports whether the placement belongs to a group that was compared,
// once all are judged.
func (c *comparison) compared(name result.Cell) bool {
	if c.views[name.View].Window.Kind != view.Session {
		return c.closed(name) && (len(c.in.Stream.Resets) == 0 || !c.cell(name).partial)
	}
	list := c.extents[sessionKey{name.View, timeline{name.Key, name.Partition}}]
	i, found := slices.BinarySearchFunc(list, name.Span.Start, func(x extent, at int64) int {
		switch {
		case x.End <= at:
			return -1
		case x.Start > at:
			return 1
		}
		return 0
	})
	return found && list[i].compared
}

type sessionKey struct {
	view string
	timeline
}
