package check

import (
	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// early judges the rows of windows that are not final: each says what the log
// says up to where its transaction came. Which of them there are depends on when
// commits fell, and nobody asks for one; sessions are judged by their final rows.
func early(r *run) {
	skipped, late := r.uncounted()
	for p := range r.partitions() {
		rows := map[uint64][]*told[result.Result]{}
		for i := range r.results {
			if m := &r.results[i]; int(m.Partition) == p && (m.Message.Stage == result.Early || m.Message.Stage == result.OnTime) {
				rows[m.Message.Place.Transaction] = append(rows[m.Message.Place.Transaction], m)
			}
		}
		folds := map[result.Cell]*result.Fold{}
		log := r.Events.of(p)
		for _, m := range r.Changelog.of(p) {
			meta, ok, err := engine.ReadMeta(m.Key, m.Value)
			if err != nil || !ok {
				continue // another check says so
			}
			for ; len(log) > 0 && log[0].Offset < meta.Next; log = log[1:] {
				if !skipped[spot{log[0].Partition, log[0].Offset}] {
					r.count(folds, late, log[0])
				}
			}
			for _, row := range rows[meta.Transaction] {
				r.judge(folds, row, meta.Next)
			}
		}
	}
}

// spot is a record of the log.
type spot struct {
	partition int32
	offset    int64
}

// placement is an event in one of its windows.
type placement struct {
	spot
	view string
	span view.Span
}

// uncounted are the records, and the placements of others, that the right answer
// excludes.
func (r *run) uncounted() (skipped map[spot]bool, late map[placement]bool) {
	skipped, late = map[spot]bool{}, map[placement]bool{}
	for _, x := range r.want.Excluded {
		at := spot{x.Partition, x.Offset}
		if x.Cause == result.Late {
			late[placement{at, x.View, x.Span}] = true
		} else {
			skipped[at] = true
		}
	}
	return skipped, late
}

// count folds a record into the cells of its windows.
func (r *run) count(folds map[result.Cell]*result.Fold, late map[placement]bool, m Record) {
	var record event.Record
	if record.Decode(m.Value) != nil || record.Kind != event.KindEvent {
		return
	}
	e := &record.Event
	r.windows(e, func(v *view.View, span view.Span) {
		if late[placement{spot{m.Partition, m.Offset}, v.ID(), span}] {
			return
		}
		cell := result.Cell{View: v.ID(), Key: string(e.Key), Span: span, Partition: m.Partition}
		if folds[cell] == nil {
			folds[cell] = result.NewFold(v)
		}
		folds[cell].Event(e.Value, e.Subject)
	})
}

// windows calls for each window, of any view, into which an event falls.
func (r *run) windows(e *event.Event, call func(*view.View, view.Span)) {
	for i := range r.Views.Views {
		v := &r.Views.Views[i]
		if v.Window.Kind == view.Session {
			continue
		}
		first, last := v.Window.Starts(e.Time)
		for start := first; start <= last; start += v.Window.Hop {
			call(v, view.Span{Start: start, End: start + v.Window.Size})
		}
	}
}

func (r *run) judge(folds map[result.Cell]*result.Fold, row *told[result.Result], next int64) {
	cell := row.Message.Cell()
	if r.session(cell.View) {
		return
	}
	var want result.Agg
	if f := folds[cell]; f != nil {
		want = f.Agg()
	}
	if want != row.Message.Agg {
		r.report.Cells++
		r.fail("the stream counts %d events in %v up to offset %d, the log %d; or their sums or sketches differ", row.Message.Agg.Count, cell, next, want.Count)
	}
}

func (r *run) session(id string) bool {
	for i := range r.Views.Views {
		if v := &r.Views.Views[i]; v.ID() == id {
			return v.Window.Kind == view.Session
		}
	}
	return false
}
