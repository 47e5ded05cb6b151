package compare_test

import (
	"maps"
	"slices"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/sketch"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

// names says whether a fault of the check names the cell, or in a session
// view its group or an event's interval that belongs to it.
func names(w *world, r *report.Report, check string, c result.Cell) bool {
	return slices.ContainsFunc(r.Faults.Listed, func(f report.Fault) bool {
		return f.Check == check && f.Start != nil && f.View == viewName(w, c.View) && f.Key == c.Key && *f.Partition == c.Partition &&
			(int64(*f.Start) == c.Span.Start && int64(*f.End) == c.Span.End ||
				isSession(w, c) && overlap(view.Span{Start: int64(*f.Start), End: int64(*f.End)}, c.Span))
	})
}

func isSession(w *world, c result.Cell) bool {
	return slices.ContainsFunc(w.views.Views, func(v view.View) bool { return v.ID() == c.View && v.Window.Kind == view.Session })
}

func viewName(w *world, id string) string {
	for i := range w.views.Views {
		if w.views.Views[i].ID() == id {
			return w.views.Views[i].Name
		}
	}
	return ""
}

func sorted[V any](m map[result.Cell]V) []result.Cell {
	return slices.SortedFunc(maps.Keys(m), result.Cell.Compare)
}

// lateCell is a cell of the view with a final row and late events.
func lateCell(t *testing.T, in *compare.Input, v *view.View) result.Cell {
	for _, x := range in.Stream.Exclusions {
		if x.Cause != result.Late || x.View != v.ID() {
			continue
		}
		for _, c := range sorted(in.Stream.Final) {
			if lies(&x, c) && overlap(bOf(in, c).Span, c.Span) {
				return c
			}
		}
	}
	t.Fatal("no cell has late events and a row")
	return result.Cell{}
}

func overlap(a, b view.Span) bool { return a.Start < b.End && b.Start < a.End }

// lies reports whether a late placement belongs to the cell, or to a session
// that overlaps it.
func lies(x *compare.Exclusion, c result.Cell) bool {
	return x.Cause == result.Late && x.View == c.View && x.Key == c.Key && x.Partition == c.Partition && overlap(x.Span, c.Span) &&
		(x.Span == c.Span || x.Time == x.Span.Start)
}

// bOf is the cell of B that counts what the cell of A counts.
func bOf(in *compare.Input, c result.Cell) result.Cell {
	if _, ok := in.Batch.B[c]; ok {
		return c
	}
	for d := range in.Batch.B {
		if d.View == c.View && d.Key == c.Key && d.Partition == c.Partition && d.Span.Start <= c.Span.Start && d.Span.End >= c.Span.End {
			return d
		}
	}
	return result.Cell{}
}

func placementOf(v *view.View, e *compare.Event) result.Cell {
	c := result.Cell{View: v.ID(), Key: e.Key, Span: view.Span{Start: e.Time, End: e.Time + v.Window.Gap}, Partition: e.Partition}
	if v.Window.Kind != view.Session {
		_, start := v.Window.Starts(e.Time)
		c.Span = view.Span{Start: start, End: start + v.Window.Size}
	}
	return c
}

// otherSketch is a sketch of as many values, one of them another.
func otherSketch(a result.Agg) result.Agg {
	var h sketch.Histogram
	for i := range a.Count {
		h.Add(int64(i) * 7)
	}
	a.Quantiles = string(h.Append(nil))
	return a
}

// Each tampering must end in a fault of the check that names the cell.
func TestTampering(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, v *view.View, in *compare.Input) (check string, cell result.Cell){
		"a sum of the stream in a cell that also has late events": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			f := in.Stream.Final[c]
			f.Agg.SumLow++
			in.Stream.Final[c] = f
			return "stream-a", c
		},
		"the same sum in the stream and in A": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			f := in.Stream.Final[c]
			f.Agg.SumLow++
			in.Stream.Final[c], in.Batch.A[c] = f, compare.Row{Agg: f.Agg, Closed: true}
			return "a-b", c
		},
		"the same sum in the stream, in A and in B": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			f, b := in.Stream.Final[c], in.Batch.B[bOf(in, c)]
			f.Agg.SumLow++
			b.SumLow++
			in.Stream.Final[c], in.Batch.A[c], in.Batch.B[bOf(in, c)] = f, compare.Row{Agg: f.Agg, Closed: true}, b
			return "truth-b", c
		},
		"a histogram of the stream": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			f := in.Stream.Final[c]
			f.Agg = otherSketch(f.Agg)
			in.Stream.Final[c] = f
			return "stream-a", c
		},
		"the same histogram in the stream and in A": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			f := in.Stream.Final[c]
			f.Agg = otherSketch(f.Agg)
			in.Stream.Final[c], in.Batch.A[c] = f, compare.Row{Agg: f.Agg, Closed: true}
			return "a-b", c
		},
		"a sketch of other subjects in A and in B": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			var d sketch.Distinct
			d.Add(sketch.Hash([]byte("nowhere")))
			f, b := in.Stream.Final[c], in.Batch.B[bOf(in, c)]
			f.Agg.Distinct, b.Distinct = string(d.Append(nil)), string(d.Append(nil))
			in.Stream.Final[c], in.Batch.A[c], in.Batch.B[bOf(in, c)] = f, compare.Row{Agg: f.Agg, Closed: true}, b
			return "truth-b", c
		},
		"another subject in an exclusion": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			for i := range in.Stream.Exclusions {
				if x := &in.Stream.Exclusions[i]; lies(x, c) {
					x.Subject = "nowhere"
				}
			}
			return "exclusions", c
		},
		"a late event taken for two": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			i := slices.IndexFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool { return lies(&x, c) })
			in.Stream.Exclusions = append(in.Stream.Exclusions, in.Stream.Exclusions[i])
			return "exclusions", c
		},
		"an event counted twice by the stream": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			f := in.Stream.Final[c]
			f.Agg.Add(f.Agg.Max)
			in.Stream.Final[c] = f
			return "stream-a", c
		},
		"a final row is missing": func(_ *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := ofView(in.Stream.Final, v)[3]
			delete(in.Stream.Final, c)
			return "stream-a", c
		},
		"a row too many": func(_ *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := ofView(in.Stream.Final, v)[3]
			f := in.Stream.Final[c]
			c.Key = "nobody"
			in.Stream.Final[c] = f
			return "stream-a", c
		},
		"a row that counts nothing": func(_ *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := ofView(in.Stream.Final, v)[3]
			c.Key = "nobody"
			in.Stream.Final[c] = compare.Final{Watermark: event.MaxWatermark}
			return "stream-a", c
		},
		"an exclusion is missing": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			in.Stream.Exclusions = slices.DeleteFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool {
				return lies(&x, c)
			})
			return "a-b", c
		},
		"a wrong cause": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			for i := range in.Stream.Exclusions {
				if x := &in.Stream.Exclusions[i]; lies(x, c) {
					x.Cause, x.View, x.Span = result.Duplicate, "", view0
				}
			}
			return "exclusions", c
		},
		"an exclusion tells another value than the log": func(t *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			c := lateCell(t, in, v)
			for i := range in.Stream.Exclusions {
				if x := &in.Stream.Exclusions[i]; lies(x, c) {
					x.Value++
				}
			}
			return "a-b", c
		},
		"the ledger tells another value": func(_ *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			e, i := ledgerEvent(in)
			changed := e
			changed.Value++
			in.Ledger[i].Value = encode(changed)
			return "truth-b", placementOf(v, &e)
		},
		"the ledger lacks an entry": func(_ *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			e, i := ledgerEvent(in)
			in.Ledger = slices.Delete(in.Ledger, i, i+1)
			return "truth-b", placementOf(v, &e)
		},
		"the ledger has an entry too many": func(_ *testing.T, v *view.View, in *compare.Input) (string, result.Cell) {
			e, i := ledgerEvent(in)
			extra := in.Ledger[i]
			e.Seq += 1 << 40
			extra.Value, extra.Offset = encode(e), 1
			in.Ledger = append(in.Ledger, extra)
			return "ledger-log", placementOf(v, &e)
		},
	} {
		for _, n := range []int{0, 2} { // tumbling, session
			w := random(t, 7, 300)
			v := &w.views.Views[n]
			t.Run(name+"/"+v.Name, func(t *testing.T) {
				w.punctuate()
				in := w.input()
				in.Ledger = slices.Clone(in.Ledger)
				check, cell := tamper(t, v, in)
				r, cells := run(t, in)
				// A fault of the ledger names the event's cell in the first view only.
				if !names(w, r, check, cell) && (n == 0 || check != "ledger-log") {
					t.Errorf("no fault %q names %v; faults: %+v", check, cell, r.Faults.Listed)
				}
				met := false
				for _, c := range cells {
					span := view.Span{Start: int64(c.Start), End: int64(c.End)}
					if c.Group != nil {
						span = view.Span{Start: int64(c.Group.Start), End: int64(c.Group.End)}
					}
					if c.View == v.Name && c.Key == cell.Key && c.Partition == cell.Partition && overlap(span, cell.Span) {
						met = true
						if c.Verdict != report.CellUnexplained {
							t.Errorf("the cell %v is %s", c, c.Verdict)
						}
					}
				}
				if !met {
					t.Errorf("the cell %v is not listed", cell)
				}
				if r.Conclude(); r.Verdict.ExitCode != 1 {
					t.Errorf("exit code %d", r.Verdict.ExitCode)
				}
			})
		}
	}
}

// ofView are the cells of one view, in order.
func ofView[V any](m map[result.Cell]V, v *view.View) []result.Cell {
	return slices.DeleteFunc(sorted(m), func(c result.Cell) bool { return c.View != v.ID() })
}

var view0 = result.Cell{}.Span

// ledgerEvent is an entry whose event was sent once and acknowledged.
func ledgerEvent(in *compare.Input) (compare.Event, int) {
	copies := map[string]int{}
	for _, entry := range in.Ledger {
		copies[string(entry.Value)]++
	}
	for i, entry := range in.Ledger {
		if entry.Kind == compare.Sent && entry.Outcome == compare.OK && copies[string(entry.Value)] == 1 && i > 20 {
			for _, e := range in.Log {
				if e.Partition == entry.Partition && e.Offset == entry.Offset {
					return e, i
				}
			}
		}
	}
	panic("no such entry")
}

func encode(e compare.Event) []byte {
	return wire(event.Event{Producer: []byte(e.Producer), Seq: e.Seq, HasID: e.HasID, Key: []byte(e.Key), Subject: []byte(e.Subject), Time: e.Time, Value: e.Value})
}

// An event that is missing from the lake, from A and from B alike, and was
// never seen by the stream either.
func TestLostFromTheLog(t *testing.T) {
	w := random(t, 7, 300)
	w.punctuate()
	e, _ := ledgerEvent(w.input())
	w.log = slices.DeleteFunc(w.log, func(r oracle.Record) bool { return r.Partition == e.Partition && r.Offset == e.Offset })
	r, _ := run(t, w.input())
	if !names(w, r, "ledger-log", placementOf(&w.views.Views[0], &e)) {
		t.Errorf("no fault names %v: %+v", placementOf(&w.views.Views[0], &e), r.Faults.Listed)
	}
	if slices.ContainsFunc(r.Faults.Listed, func(f report.Fault) bool { return f.Check == "truth-b" }) {
		t.Errorf("the loss is not named as the cause: %+v", r.Faults.Listed)
	}
	if !slices.ContainsFunc(r.Causes, func(c report.Cause) bool { return c.Cause == report.CauseLost && c.Events == 1 }) {
		t.Errorf("causes: %+v", r.Causes)
	}
	if r.Conclude(); r.Verdict.ExitCode != 1 {
		t.Errorf("exit code %d", r.Verdict.ExitCode)
	}
}

// An event that Kafka holds once more than it was sent.
func TestTwiceInTheLog(t *testing.T) {
	w := random(t, 7, 300)
	e, _ := ledgerEvent(w.input())
	w.put(e.Partition, encode(e))
	w.punctuate()
	r, _ := run(t, w.input())
	if !names(w, r, "ledger-log", placementOf(&w.views.Views[0], &e)) {
		t.Errorf("no fault names %v: %+v", placementOf(&w.views.Views[0], &e), r.Faults.Listed)
	}
}

// A window that the batch calls open has no final row.
func TestFinalRowOfAnOpenWindow(t *testing.T) {
	w := random(t, 7, 100)
	in := w.input()
	for _, c := range sorted(in.Batch.A) {
		if row := in.Batch.A[c]; !row.Closed {
			in.Stream.Final[c] = compare.Final{Agg: row.Agg, Watermark: event.MaxWatermark}
			r, _ := run(t, in)
			if !names(w, r, "stream-a", c) {
				t.Errorf("no fault names %v: %+v", c, r.Faults.Listed)
			}
			return
		}
	}
	t.Fatal("no window is open")
}

// An event that is left out once more, for another reason, changes no row.
func TestExclusionTooMany(t *testing.T) {
	w := random(t, 7, 300)
	w.punctuate()
	in := w.input()
	i := slices.IndexFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool { return x.Cause == result.Duplicate })
	x := in.Stream.Exclusions[i]
	x.Cause = result.Stale
	in.Stream.Exclusions = append(in.Stream.Exclusions, x)
	r, _ := run(t, in)
	if !names(w, r, "exclusions", placementOf(&w.views.Views[0], &x.Event)) {
		t.Errorf("no fault names %v: %+v", placementOf(&w.views.Views[0], &x.Event), r.Faults.Listed)
	}
}

// The windows of sessions are part of the answer.
func TestTamperingWithSpans(t *testing.T) {
	later := func(c result.Cell) result.Cell { c.Span.End += minute; return c }
	for name, tamper := range map[string]func(in *compare.Input, c, b result.Cell) (check string){
		"the end of the stream's session": func(in *compare.Input, c, _ result.Cell) string {
			in.Stream.Final[later(c)] = in.Stream.Final[c]
			delete(in.Stream.Final, c)
			return "stream-a"
		},
		"the same end in the stream and in A": func(in *compare.Input, c, _ result.Cell) string {
			in.Stream.Final[later(c)], in.Batch.A[later(c)] = in.Stream.Final[c], in.Batch.A[c]
			delete(in.Stream.Final, c)
			delete(in.Batch.A, c)
			return "a-b"
		},
		"the end of B's session": func(in *compare.Input, _, b result.Cell) string {
			in.Batch.B[later(b)] = in.Batch.B[b]
			delete(in.Batch.B, b)
			return "truth-b"
		},
		"B's session in two": func(in *compare.Input, _, b result.Cell) string {
			row := in.Batch.B[b]
			row.Count--
			left, right := b, b
			left.Span.End, right.Span.Start = b.Span.Start+minute, b.Span.Start+minute
			in.Batch.B[left], in.Batch.B[right] = compare.Row{Agg: result.Agg{Plain: result.Plain{Count: 1}}, Closed: true}, row
			delete(in.Batch.B, b)
			return "a-b"
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := random(t, 7, 300)
			w.punctuate()
			in := w.input()
			v := &w.views.Views[2]
			// A cell that ends B's session too, so that its end is seen in both.
			all := slices.DeleteFunc(ofView(in.Stream.Final, v), func(c result.Cell) bool { return bOf(in, c).Span.End != c.Span.End })
			check := tamper(in, all[5], bOf(in, all[5]))
			r, _ := run(t, in)
			if !names(w, r, check, all[5]) {
				t.Errorf("no fault %q names %v; faults: %+v", check, all[5], r.Faults.Listed)
			}
			if r.Conclude(); r.Verdict.ExitCode != 1 {
				t.Errorf("exit code %d", r.Verdict.ExitCode)
			}
		})
	}
}
