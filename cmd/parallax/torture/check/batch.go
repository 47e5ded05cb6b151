package check

import (
	"parallax.example/internal/event"
	"parallax.example/internal/ledger"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
)

// batchAnswers holds the batch's readings against the oracle's: A by the
// stream's rule, B with every event; and A together with what was too late is B,
// byte for byte.
func batchAnswers(r *run) {
	if r.Batch == nil {
		return
	}
	for _, p := range r.Batch.Cut {
		if end := r.Events.Ends[p.Partition].High; p.End != end {
			r.fail("the batch's cut of partition %d is %d, the log ends at %d", p.Partition, p.End, end)
		}
	}
	r.rows("A", r.Batch.Batch.A, r.want)
	r.rows("B", r.Batch.Batch.B, r.all)
	var judged []oracle.Exclusion
	for _, j := range r.Batch.Batch.Judgements {
		judged = append(judged, oracle.Exclusion{Partition: j.Partition, Offset: j.Offset, Cause: j.Cause, View: j.View, Span: j.Span})
	}
	var want []oracle.Exclusion
	for _, x := range r.want.Excluded {
		x.Watermark = 0 // the batch does not tell
		want = append(want, x)
	}
	same(r, "batch's judgement", want, judged, compareExclusions)
	if !r.Weaker {
		r.foldLate()
	}
}

// rows compares one reading; the oracle tells which windows are closed.
func (r *run) rows(reading string, got map[result.Cell]compare.Row, want *oracle.Answer) {
	for cell, row := range got {
		agg, ok := want.Rows[cell]
		if !ok && !row.Closed {
			agg, ok = want.Open[cell]
		}
		if !ok || agg != row.Agg {
			r.report.Cells++
			r.fail("the batch's reading %s counts %d events in %v, the right answer %d; or their sums or sketches differ", reading, row.Count, cell, agg.Count)
		}
	}
	for cell, agg := range want.Rows {
		if row, ok := got[cell]; !ok || !row.Closed {
			r.report.Cells++
			r.fail("the batch's reading %s has no closed row of %v, which counts %d events", reading, cell, agg.Count)
		}
	}
}

// foldLate folds the late placements into A's rows of windows, which must give
// B's. Sessions are joined differently by the two readings; the oracle judges those.
func (r *run) foldLate() {
	byPlace := map[[2]int64]*event.Record{}
	for _, m := range r.log {
		record := new(event.Record)
		if record.Decode(m.Value) == nil {
			byPlace[[2]int64{int64(m.Partition), m.Offset}] = record
		}
	}
	stale := r.touchedByStale()
	for i := range r.Views.Views {
		v := &r.Views.Views[i]
		if v.Window.Kind == view.Session {
			continue
		}
		folds := map[result.Cell]*result.Fold{}
		fold := func(c result.Cell) *result.Fold {
			if folds[c] == nil {
				folds[c] = result.NewFold(v)
			}
			return folds[c]
		}
		for cell, row := range r.Batch.Batch.A {
			if cell.View == v.ID() {
				fold(cell).Row(&row.Agg)
			}
		}
		for _, x := range r.exclusions {
			late := &x.Message
			if late.Cause != result.Late || string(late.View) != v.ID() {
				continue
			}
			e := &byPlace[[2]int64{int64(late.Place.Partition), late.Place.Offset}].Event
			fold(result.Cell{View: v.ID(), Key: string(e.Key), Span: late.Span, Partition: late.Place.Partition}).Event(e.Value, e.Subject)
		}
		for cell, row := range r.Batch.Batch.B {
			// Stale events count in B alone.
			if cell.View == v.ID() && !stale[cell] && (folds[cell] == nil || folds[cell].Agg() != row.Agg) {
				r.report.Cells++
				r.fail("in %v the batch's reading A and the stream's late events do not make reading B", cell)
			}
		}
	}
}

// touchedByStale are the cells of windows into which stale events fall.
func (r *run) touchedByStale() map[result.Cell]bool {
	cells := map[result.Cell]bool{}
	var record event.Record
	for _, x := range r.exclusions {
		if x.Message.Cause != result.Stale || record.Decode(x.Message.Event) != nil {
			continue
		}
		r.windows(&record.Event, func(v *view.View, span view.Span) {
			cells[result.Cell{View: v.ID(), Key: string(record.Event.Key), Span: span, Partition: x.Message.Place.Partition}] = true
		})
	}
	return cells
}

// truth answers what was really sent, from the ledger alone: the messages that
// were acknowledged, or are found in the log after all, in the order of the
// ledger. The batch's reading B must be the same.
func truth(r *run) {
	if r.Batch == nil || r.Retried {
		return // a copy that was sent again may stand before its first
	}
	stored := map[string]int{}
	for _, m := range r.Events.Records {
		stored[string(m.Value)]++
	}
	var sent []oracle.Record
	offsets := map[int32]int64{}
	for i := range r.Ledger {
		m := &r.Ledger[i]
		copies := min(stored[string(m.Value)], 1)
		if m.Status == ledger.OK {
			copies = 1
		}
		if m.Resent > 0 && anonymous(m.Value) {
			copies = stored[string(m.Value)] // nobody can tell them apart
		}
		for range copies {
			sent = append(sent, oracle.Record{Partition: m.Intent.Partition, Offset: offsets[m.Intent.Partition], Value: m.Value})
			offsets[m.Intent.Partition]++
		}
	}
	answer := oracle.All(r.Views, sent)
	for cell, row := range r.Batch.Batch.B {
		agg, ok := answer.Rows[cell]
		if !ok {
			agg, ok = answer.Open[cell]
		}
		if !ok || agg != row.Agg {
			r.report.Cells++
			r.fail("what was really sent counts %d events in %v, the batch's reading B %d; or their sums or sketches differ", agg.Count, cell, row.Count)
		}
	}
	for cell, agg := range answer.Rows {
		if _, ok := r.Batch.Batch.B[cell]; !ok {
			r.report.Cells++
			r.fail("what was really sent counts %d events in %v, and the batch's reading B has no row of it", agg.Count, cell)
		}
	}
}

// anonymous says that a message is an event without an id.
func anonymous(value []byte) bool {
	var record event.Record
	return record.Decode(value) == nil && record.Kind == event.KindEvent && !record.Event.HasID
}
