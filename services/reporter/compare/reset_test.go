package compare_test

import (
	"slices"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

// From the reset of a view in one partition on, the stream knows nothing of what
// lay before: the cells that hold any of it are partial, and all others are
// compared as ever.
func TestReset(t *testing.T) {
	for _, n := range []int{0, 1, 2} {
		w := random(t, 7, 300)
		w.punctuate()
		in := w.input()
		v := &w.views.Views[n]
		reset := compare.Reset{View: v.ID(), Partition: 1, Offset: w.next[1] / 2}
		in.Stream.Resets = []compare.Reset{{View: v.ID(), Partition: 1, Offset: 3}, reset}
		early := func(c result.Cell) bool {
			if c.View != v.ID() || c.Partition != 1 {
				return false
			}
			b := bOf(in, c).Span
			return slices.ContainsFunc(in.Log, func(e compare.Event) bool {
				return e.Partition == 1 && e.Offset < reset.Offset && e.Key == c.Key && e.Time >= b.Start && e.Time < b.End
			})
		}
		var whole result.Cell
		spoiled := 0
		for _, c := range ofView(in.Stream.Final, v) {
			switch {
			case early(c): // the stream counted some of its events, or none
				f := in.Stream.Final[c]
				f.Agg.Count++
				in.Stream.Final[c] = f
				spoiled++
			case c.Partition == 1:
				whole = c
			}
		}
		in.Stream.Exclusions = slices.DeleteFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool {
			return x.View == v.ID() && x.Partition == 1 && x.Offset < reset.Offset
		})
		if v.Window.Kind == view.Session {
			// What joined a session from before is late for a stream without it.
			i := slices.IndexFunc(in.Log, func(e compare.Event) bool {
				return e.Partition == 1 && e.Offset >= reset.Offset && early(placementOf(v, &e)) &&
					!slices.ContainsFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool { return x.Partition == 1 && x.Offset == e.Offset })
			})
			e := in.Log[i]
			in.Stream.Exclusions = append(in.Stream.Exclusions, compare.Exclusion{Event: e, Cause: result.Late, View: v.ID(),
				Span: placementOf(v, &e).Span, Watermark: event.MaxWatermark})
		}
		r, cells := run(t, in)
		for _, f := range r.Faults.Listed {
			t.Errorf("%s: %s: %s (%s %s %v)", v.Name, f.Check, f.What, f.View, f.Key, f.Start)
		}
		partial := 0
		for _, c := range cells {
			if c.Verdict == report.CellPartial {
				partial++
			}
		}
		if spoiled == 0 || partial < spoiled || r.Views[n].Cells.Partial == 0 {
			t.Errorf("%s: %d rows are spoiled, %d cells and %d groups partial", v.Name, spoiled, partial, r.Views[n].Cells.Partial)
		}
		for i := range r.Views {
			if i != n && r.Views[i].Cells.Partial > 0 {
				t.Errorf("view %s is partial, and %s was counted anew", r.Views[i].Name, v.Name)
			}
		}
		f := in.Stream.Final[whole]
		f.Agg.SumLow++
		in.Stream.Final[whole] = f
		if r, _ = run(t, in); !names(w, r, "stream-a", whole) {
			t.Errorf("%s: a wrong row after the reset went unnoticed: %+v", v.Name, r.Faults.Listed)
		}
	}
}
