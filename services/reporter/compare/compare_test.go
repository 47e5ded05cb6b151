package compare_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"parallax.example/internal/result"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

func TestHealthy(t *testing.T) {
	splits := 0
	for seed := range uint64(20) {
		w := random(t, seed, 300)
		if seed%2 == 0 {
			w.punctuate()
		}
		r, cells := run(t, w.input())
		for _, f := range r.Faults.Listed {
			t.Errorf("seed %d: %s: %s (%s %s %v)", seed, f.Check, f.What, f.View, f.Key, f.Start)
		}
		var open int
		causes := map[string]int{} // of explained groups
		for _, c := range cells {
			switch c.Verdict {
			case report.CellOpen:
				open++
			case report.CellExplained:
				causes[groupOf(c)] += len(c.Causes)
			}
		}
		for g, n := range causes {
			if n == 0 {
				t.Errorf("seed %d: %s is explained without a cause", seed, g)
			}
		}
		if (open == 0) != (seed%2 == 0) {
			t.Errorf("seed %d: %d open cells", seed, open)
		}
		if len(causes) == 0 || len(causes) != r.Differences.Total {
			t.Errorf("seed %d: %d explained groups, %d differences", seed, len(causes), r.Differences.Total)
		}
		var named []string
		for _, c := range r.Causes {
			if c.Cause == report.CauseSplit { // not in every world
				splits++
				continue
			}
			named = append(named, c.Cause)
		}
		if want := []string{report.CauseLate, report.CauseStale, report.CauseForeign, report.CauseElsewhere}; !slices.Equal(named, want) {
			t.Errorf("seed %d: causes %v, want %v", seed, named, want)
		}
		for _, v := range r.Views {
			if v.Cells.StreamIsA != v.Cells.Closed || v.Cells.MergedIsB != v.Cells.Closed || v.Cells.TruthIsB != v.Cells.Closed {
				t.Errorf("seed %d: %s: %+v", seed, v.Name, v.Cells)
			}
			var late uint64
			for _, p := range v.Series {
				late += p.Late
			}
			var beyond uint64
			for _, b := range v.Late.Beyond {
				beyond += b.Count
			}
			if late != v.Late.Count || beyond != v.Late.Count || late == 0 {
				t.Errorf("seed %d: %s: late %d by window, %d by lateness, %d in all", seed, v.Name, late, beyond, v.Late.Count)
			}
		}
	}
	if splits < 10 {
		t.Errorf("sessions are split in %d worlds of 20", splits)
	}
}

// groupOf names what a cell was compared with.
func groupOf(c report.Cell) string {
	g := report.Span{Start: c.Start, End: c.End}
	if c.Group != nil {
		g = *c.Group
	}
	return fmt.Sprintf("%s/%s/%d/%s/%s", c.View, c.Key, c.Partition, g.Start, g.End)
}

func TestOpenIsNotWrong(t *testing.T) {
	w := newWorld(t)
	w.send(0, compare.Sent, w.event("key-0", 1000*minute, 5))
	r, cells := run(t, w.input())
	if r.Faults.Total != 0 || len(cells) != 4 {
		t.Fatalf("%d faults, %d cells", r.Faults.Total, len(cells))
	}
	for _, c := range cells {
		if c.Verdict != report.CellOpen || c.B == nil || c.Truth == nil || c.Stream != nil {
			t.Errorf("%+v", c)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, spoil := range map[string]func(*compare.Input){
		"no cut":         func(in *compare.Input) { in.Cut = nil },
		"other question": func(in *compare.Input) { in.Batch.B[result.Cell{View: "hourly@0"}] = compare.Row{} },
		"other log":      func(in *compare.Input) { in.Log[0].Offset = 1 << 40 },
		"partition":      func(in *compare.Input) { in.Cut = in.Cut[:2] },
		"empty ledger":   func(in *compare.Input) { in.Ledger = nil },
	} {
		w := random(t, 1, 100)
		in := w.input()
		spoil(in)
		_, err := compare.Run(in, &report.Report{})
		var refusal *compare.Refusal
		if !errors.As(err, &refusal) || refusal.Advice == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// At a cut in the middle, what the stream did later is left aside.
func TestStreamAhead(t *testing.T) {
	whole := random(t, 3, 300)
	whole.punctuate()
	part := random(t, 3, 300)
	part.log = part.log[:150]
	part.next = map[int32]int64{}
	for _, r := range part.log {
		part.next[r.Partition] = r.Offset
	}
	in, ahead := part.input(), whole.input()
	in.Stream = ahead.Stream
	r, _ := run(t, in)
	for _, f := range r.Faults.Listed {
		t.Errorf("%s: %s (%s %s %v)", f.Check, f.What, f.View, f.Key, f.Start)
	}
	if r.Ledger.BeyondCut == 0 {
		t.Error("nothing of the ledger lies beyond the cut")
	}
}

// A restart sends what it knows nothing of again: as many copies are allowed.
func TestResent(t *testing.T) {
	for copies, faulty := range map[int]bool{1: false, 2: false, 3: true} {
		w := newWorld(t)
		b := w.event("key-0", 1000*minute, 5)
		w.send(0, compare.Sent, b)
		w.ledger[0].Resent = 1
		for range copies - 1 {
			w.ledger[0].Offset = w.put(0, b)
		}
		w.punctuate()
		r, _ := run(t, w.input())
		if (r.Faults.Total > 0) != faulty {
			t.Errorf("%d copies: %+v", copies, r.Faults.Listed)
		}
		if r.Ledger.OK != 1 || r.Ledger.Generated != 1 {
			t.Errorf("%+v", r.Ledger)
		}
	}
}

// Kafka may say that it has stored an event without saying where.
func TestStoredSomewhere(t *testing.T) {
	w := newWorld(t)
	w.send(0, compare.Sent, w.event("key-0", 1000*minute, 5))
	w.ledger[0].Offset = -1
	w.punctuate()
	if r, _ := run(t, w.input()); r.Faults.Total > 0 || r.Ledger.OK != 1 {
		t.Errorf("%+v %+v", r.Faults.Listed, r.Ledger)
	}
}

// One key in several partitions is one row for a reader and several cells.
func TestKeyInTwoPartitions(t *testing.T) {
	w := newWorld(t)
	w.send(0, compare.Sent, w.event("key-0", 1000*minute, 5))
	w.send(1, compare.Sent, w.event("key-0", 1000*minute, 7))
	w.punctuate()
	r, cells := run(t, w.input())
	v := &r.Views[0]
	if r.Faults.Total > 0 || v.Cells.Closed != 2 || v.Cells.Same != 2 || v.Sides.B.Rows != 1 || v.Sides.B.Sum != 12 || len(cells) != 8 {
		t.Errorf("%+v %+v %+v", r.Faults.Listed, v.Cells, v.Sides)
	}
}

// Sessions that only touch are two, and so are their groups; one that is bridged
// after its end is one group, split in the stream.
func TestTouchingSessions(t *testing.T) {
	w := newWorld(t)
	w.views.Views = w.views.Views[2:]
	at := func(minutes int64) { w.send(0, compare.Sent, w.event("key-0", (1000+minutes)*minute, 5)) }
	at(0)
	at(30) // touches [0, 30)
	w.punctuate()
	r, cells := run(t, w.input())
	if v := &r.Views[0]; r.Faults.Total > 0 || v.Cells.Closed != 2 || v.Cells.Same != 2 || v.Sides.B.Rows != 2 || len(cells) != 2 {
		t.Errorf("%+v %+v %+v", r.Faults.Listed, v.Cells, cells)
	}

	w = newWorld(t)
	w.views.Views = w.views.Views[2:]
	at(0)
	at(45)
	at(46) // two have reached 45: [0, 30) is closed
	at(20) // bridges them
	w.punctuate()
	r, cells = run(t, w.input())
	v := &r.Views[0]
	if r.Faults.Total > 0 || v.Cells.Closed != 1 || v.Cells.Explained != 1 || v.Sides.A.Rows != 2 || v.Sides.B.Rows != 1 || v.Late.Count != 0 ||
		len(r.Causes) != 1 || r.Causes[0].Cause != report.CauseSplit || r.Causes[0].Cells != 1 {
		t.Errorf("%+v %+v %+v", r.Faults.Listed, v, r.Causes)
	}
	for _, c := range cells {
		if c.Verdict != report.CellExplained || *c.Group != (report.Span{Start: report.Time(1000 * minute), End: report.Time(1076 * minute)}) {
			t.Errorf("%+v", c)
		}
	}
	if len(cells) != 3 || r.Differences.Total != 1 || len(r.Differences.Listed) != 3 {
		t.Errorf("%d cells, %d differences, %d listed", len(cells), r.Differences.Total, len(r.Differences.Listed))
	}
}

// One fact sent to two partitions is generated once and duplicated once, also
// when the ledger calls both the first of their partition, as a replay does.
func TestOneFactInTwoPartitions(t *testing.T) {
	w := newWorld(t)
	e := w.event("key-0", 1000*minute, 5)
	w.send(0, compare.Sent, e)
	w.send(1, compare.Sent, e)
	w.punctuate()
	r, _ := run(t, w.input())
	for _, f := range r.Faults.Listed {
		t.Errorf("%s: %s (%s %s %v)", f.Check, f.What, f.View, f.Key, f.Start)
	}
	if r.Ledger.Sent != 2 || r.Ledger.Generated != 1 || r.Ledger.Duplicated != 1 {
		t.Errorf("%+v", r.Ledger)
	}
}
