package compare_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

// resumed is a world whose stream took a range of partition 1 in again, or left
// it out. Cells which are not in touched had been written before the death.
type resumed struct {
	in      *compare.Input
	at      compare.Resumption
	touched []result.Cell
	events  uint64 // in them: placements
	told    uint64
}

func death(t *testing.T, seed uint64, skipped bool) *resumed {
	t.Helper()
	w := random(t, seed, 400)
	w.crowd(200)
	w.punctuate()
	in := w.input()
	r := &resumed{in: in, at: compare.Resumption{Partition: 1, From: w.next[1] / 3, Until: 2 * w.next[1] / 3, Skipped: skipped}}
	in.Stream.Resumed = []compare.Resumption{r.at}
	dice := rand.New(rand.NewPCG(seed, 9))
	inside := func(partition int32, offset int64) bool {
		return partition == 1 && offset >= r.at.From && offset < r.at.Until
	}
	judged := map[compare.Judgement]bool{}
	for _, j := range in.Batch.Judgements {
		judged[j] = true
	}
	late := func(e *compare.Event, c result.Cell) bool {
		return judged[compare.Judgement{Partition: e.Partition, Offset: e.Offset, Cause: result.Late, View: c.View, Span: c.Span}]
	}
	var told []compare.Exclusion
	kept := map[int64]bool{} // offsets
	for i := range in.Log {
		e := &in.Log[i]
		if inside(e.Partition, e.Offset) && e.HasID && !skipped && dice.IntN(2) == 0 {
			kept[e.Offset] = true
		}
	}
	for i := range w.views.Views {
		v := &w.views.Views[i]
		if v.Window.Kind == view.Session {
			continue
		}
		for _, c := range ofView(in.Stream.Final, v) {
			var all, hit []*compare.Event
			for i := range in.Log {
				e := &in.Log[i]
				out := judged[compare.Judgement{Partition: e.Partition, Offset: e.Offset, Cause: result.Duplicate}] || judged[compare.Judgement{Partition: e.Partition, Offset: e.Offset, Cause: result.Stale}]
				if e.Partition != c.Partition || e.Key != c.Key || e.Time < c.Span.Start || e.Time >= c.Span.End || out || late(e, c) {
					continue
				}
				if inside(e.Partition, e.Offset) && !kept[e.Offset] {
					hit = append(hit, e)
				} else if skipped {
					all = append(all, e)
				}
			}
			if len(hit) == 0 || dice.IntN(3) == 0 {
				continue
			}
			r.touched = append(r.touched, c)
			r.events += uint64(len(hit))
			fold, f := result.NewFold(v), in.Stream.Final[c]
			if !skipped {
				fold.Row(&f.Agg)
				all = hit
			}
			for _, e := range all {
				fold.Event(e.Value, []byte(e.Subject))
			}
			if f.Agg = fold.Agg(); f.Agg.Count == 0 {
				delete(in.Stream.Final, c)
				continue
			}
			in.Stream.Final[c] = f
		}
	}
	in.Stream.Exclusions = slices.DeleteFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool {
		if !inside(x.Partition, x.Offset) {
			return false
		}
		if skipped {
			r.told++
			return true
		}
		told = append(told, x)
		return false
	})
	for i := range in.Log {
		if e := &in.Log[i]; kept[e.Offset] && e.Partition == 1 && !judged[compare.Judgement{Partition: 1, Offset: e.Offset, Cause: result.Duplicate}] && !judged[compare.Judgement{Partition: 1, Offset: e.Offset, Cause: result.Stale}] {
			told = append(told, compare.Exclusion{Event: *e, Cause: result.Duplicate})
		}
	}
	in.Stream.Exclusions = append(in.Stream.Exclusions, told...)
	in.Stream.Dead = slices.DeleteFunc(in.Stream.Dead, func(d compare.Dead) bool {
		if skipped && inside(d.Partition, d.Offset) {
			r.told++
			return true
		}
		return false
	})
	r.told += uint64(len(told))
	return r
}

// crowd sends n more events of one hour, so that cells have more than one.
func (w *world) crowd(n int) {
	for i := range n {
		w.send(1, compare.Sent, w.event("key-1", 1_100_000*minute+int64(i%50)*minute, int64(i)))
	}
}

// What a death has counted twice or not at all is named, cell by cell and event by
// event, and the verdict is not that all is explained.
func TestDamage(t *testing.T) {
	for _, skipped := range []bool{false, true} {
		for seed := range uint64(4) {
			d := death(t, seed, skipped)
			r, cells := run(t, d.in)
			for _, f := range r.Faults.Listed {
				t.Errorf("skipped %t, seed %d: %s: %s (%s %s %v)", skipped, seed, f.Check, f.What, f.View, f.Key, f.Start)
			}
			damaged := 0
			for _, v := range r.Views {
				damaged += v.Cells.Damaged
			}
			shown := 0
			for _, c := range cells {
				if c.Verdict == report.CellDamaged {
					shown++
					if !slices.ContainsFunc(c.Causes, func(x report.CellCause) bool { return x.Cause == d.cause() && x.Count > 0 }) {
						t.Errorf("%s of key %s is damaged by nothing: %+v", c.View, c.Key, c.Causes)
					}
				}
			}
			i := slices.IndexFunc(r.Causes, func(c report.Cause) bool { return c.Cause == d.cause() })
			if len(d.touched) == 0 || damaged != len(d.touched) || shown != damaged || i < 0 || r.Causes[i].Placements != d.events || r.Causes[i].Cells != damaged {
				t.Errorf("skipped %t, seed %d: %d cells with %d placements are damaged; found %d, %d: %+v", skipped, seed, len(d.touched), d.events, damaged, shown, r.Causes)
			}
			told := r.Damage.ToldAgain
			if skipped {
				told = r.Damage.NotTold
			}
			if told != d.told || len(r.Damage.Ranges) != 1 {
				t.Errorf("skipped %t, seed %d: %+v, want %d", skipped, seed, r.Damage, d.told)
			}
			r.Conclude()
			if r.Verdict.ExitCode != 1 || r.Verdict.Outcome != report.Damaged {
				t.Errorf("skipped %t, seed %d: %+v", skipped, seed, r.Verdict)
			}
		}
	}
}

func (d *resumed) cause() string {
	if d.at.Skipped {
		return report.CauseSkipped
	}
	return report.CauseAgain
}

// A wrong row that the range does not account for stays unexplained, also in a
// damaged cell, and without a marker all of it is.
func TestDamageIsNoExcuse(t *testing.T) {
	for _, skipped := range []bool{false, true} {
		d, wrong := death(t, 3, skipped), 0
		for _, c := range d.touched {
			if f, ok := d.in.Stream.Final[c]; ok {
				f.Agg.SumLow++
				d.in.Stream.Final[c] = f
				wrong++
				break
			}
		}
		if wrong == 0 {
			t.Fatal("no damaged cell has a row")
		}
		r, _ := run(t, d.in)
		if r.Conclude(); r.Verdict.Outcome != report.Unexplained || r.Faults.Listed[0].Check != "stream-a" {
			t.Errorf("skipped %t: a wrong sum: %+v", skipped, r.Verdict)
		}

		d = death(t, 3, skipped)
		d.in.Stream.Resumed[0].Skipped = !skipped
		r, _ = run(t, d.in)
		if r.Conclude(); r.Verdict.Outcome != report.Unexplained {
			t.Errorf("skipped %t: the other marker: %+v", skipped, r.Verdict)
		}

		d = death(t, 3, skipped)
		d.in.Stream.Resumed = nil
		r, _ = run(t, d.in)
		if r.Conclude(); r.Verdict.Outcome != report.Unexplained || r.Faults.Total < len(d.touched) {
			t.Errorf("skipped %t: without a marker: %+v", skipped, r.Verdict)
		}
	}
}

// A stream that died and did no damage is as good as any other.
func TestDeathWithoutDamage(t *testing.T) {
	w := random(t, 5, 300)
	w.punctuate()
	in := w.input()
	in.Stream.Resumed = []compare.Resumption{{Partition: 1, From: 10, Until: 10}, {Partition: 0, From: 5, Until: 60}, {Partition: 2, From: 5, Until: 60, Skipped: true}}
	r, _ := run(t, in)
	if r.Conclude(); r.Verdict.Outcome != report.Explained || len(r.Damage.Ranges) != 2 {
		t.Errorf("%+v: %+v", r.Verdict, r.Damage)
	}
}

// A session that counted its events twice keeps its window; two deaths hit a cell
// by one or by both.
func TestDamageOfSessionsAndTwice(t *testing.T) {
	w := random(t, 7, 300)
	w.punctuate()
	in := w.input()
	end := w.next[1] + 1
	in.Stream.Resumed = []compare.Resumption{{Partition: 1, From: 0, Until: end}, {Partition: 1, From: end / 2, Until: end}, {Partition: 1, From: 0, Until: end / 4}}
	want := map[string]int{}
	for n, times := range []int{1, 2} {
		v := &w.views.Views[2*n]
		for _, c := range ofView(in.Stream.Final, v) {
			if c.Partition != 1 {
				continue
			}
			f := in.Stream.Final[c]
			fold := result.NewFold(v)
			fold.Row(&f.Agg)
			for range times {
				if n == 0 {
					a := in.Batch.A[c].Agg
					fold.Row(&a)
				}
			}
			if n == 1 { // sessions: once, as a whole
				a := in.Batch.A[c].Agg
				fold.Row(&a)
			}
			f.Agg = fold.Agg()
			in.Stream.Final[c] = f
			want[v.Name]++
		}
	}
	r, _ := run(t, in)
	for _, f := range r.Faults.Listed {
		t.Errorf("%s: %s (%s %s %v)", f.Check, f.What, f.View, f.Key, f.Start)
	}
	for _, v := range r.Views {
		if want[v.Name] > 0 && v.Cells.Damaged == 0 || want[v.Name] == 0 && v.Cells.Damaged > 0 {
			t.Errorf("%s: %+v, %d rows are damaged", v.Name, v.Cells, want[v.Name])
		}
	}
}

// What was told twice is forgiven to the batch that a death tore, and to no other.
func TestToldAgainByAnotherBatch(t *testing.T) {
	for _, torn := range []bool{true, false} {
		for _, dead := range []bool{true, false} {
			w := random(t, 5, 300)
			w.punctuate()
			in := w.input()
			again := uint64(9)
			if torn {
				again = 7
			}
			if dead {
				d := in.Stream.Dead[0]
				in.Stream.Resumed = []compare.Resumption{{Partition: d.Partition, Transaction: 7}}
				d.Transaction = again
				in.Stream.Dead = append(in.Stream.Dead, d)
			} else {
				x := in.Stream.Exclusions[0]
				in.Stream.Resumed = []compare.Resumption{{Partition: x.Partition, Transaction: 7}}
				x.Transaction = again
				in.Stream.Exclusions = append(in.Stream.Exclusions, x)
			}
			r, _ := run(t, in)
			if r.Conclude(); (r.Faults.Total == 0) != torn || r.Damage.ToldAgain != uint64(btoi(torn)) {
				t.Errorf("torn %t, dead letter %t: %+v, %+v", torn, dead, r.Verdict, r.Damage)
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
