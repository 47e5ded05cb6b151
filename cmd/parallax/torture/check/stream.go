package check

import (
	"cmp"
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
)

// stream holds what the processors told against the oracle's answer over the
// recorded log: the same final rows, closed by the same records, the same
// exclusions and dead letters, and none of them twice.
func stream(r *run) {
	finals := map[result.Cell]bool{}
	for i := range r.results {
		m := &r.results[i].Message
		if m.Stage != result.Final {
			continue
		}
		cell := m.Cell()
		if finals[cell] {
			r.report.Doubled++
			r.fail("%v has two final rows", cell)
			continue
		}
		finals[cell] = true
		want, ok := r.want.Rows[cell]
		switch {
		case !ok:
			r.report.Cells++
			r.fail("the stream has a final row of %v, and the right answer has none", cell)
		case want != m.Agg:
			r.report.Cells++
			r.fail("the stream counts %d events in %v, the right answer %d; or their sums or sketches differ", m.Agg.Count, cell, want.Count)
		case r.want.ClosedAt[cell] != m.Place.Offset:
			r.fail("%v was closed at offset %d, the stream says %d", cell, r.want.ClosedAt[cell], m.Place.Offset)
		}
	}
	for cell, agg := range r.want.Rows {
		if !finals[cell] {
			r.report.Cells++
			r.fail("the stream has no final row of %v, which counts %d events", cell, agg.Count)
		}
	}
	same(r, "exclusion", r.want.Excluded, r.told(), compareExclusions)
	var dead []oracle.Dead
	for i := range r.dead {
		m := &r.dead[i].Message
		dead = append(dead, oracle.Dead{Partition: m.Place.Partition, Offset: m.Place.Offset, Reason: event.Reason(m.Reason)})
	}
	same(r, "dead letter", r.want.Dead, dead, compareDead)
}

// told is what the stream excluded, in the oracle's order.
func (r *run) told() []oracle.Exclusion {
	list := make([]oracle.Exclusion, 0, len(r.exclusions))
	for i := range r.exclusions {
		x := &r.exclusions[i].Message
		list = append(list, oracle.Exclusion{
			Partition: x.Place.Partition, Offset: x.Place.Offset, Cause: x.Cause, View: string(x.View), Span: x.Span, Watermark: x.Watermark,
		})
	}
	return list
}

// same compares two lists in their order and tells what one has and the other lacks.
func same[T comparable](r *run, what string, want, got []T, compare func(a, b T) int) {
	want, got = slices.SortedFunc(slices.Values(want), compare), slices.SortedFunc(slices.Values(got), compare)
	for i, j := 0, 0; i < len(want) || j < len(got); {
		switch {
		case i < len(want) && j < len(got) && want[i] == got[j]:
			i, j = i+1, j+1
		case j == len(got) || i < len(want) && compare(want[i], got[j]) <= 0:
			r.report.Lost++
			r.fail("the %s %+v is missing", what, want[i])
			i++
		default:
			r.report.Doubled++
			r.fail("the %s %+v should not be there, or not so often", what, got[j])
			j++
		}
	}
}

func compareExclusions(x, y oracle.Exclusion) int {
	return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.View, y.View),
		cmp.Compare(x.Span.Start, y.Span.Start), cmp.Compare(x.Span.End, y.Span.End), cmp.Compare(x.Cause, y.Cause))
}

func compareDead(x, y oracle.Dead) int {
	return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.Reason, y.Reason))
}
