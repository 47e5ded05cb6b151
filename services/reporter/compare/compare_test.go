package compare_test

import (
	"errors"
	"slices"
	"testing"

	"parallax.example/internal/result"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

func TestHealthy(t *testing.T) {
	for seed := range uint64(20) {
		w := random(t, seed, 300)
		if seed%2 == 0 {
			w.punctuate()
		}
		r, cells := run(t, w.input())
		for _, f := range r.Faults.Listed {
			t.Errorf("seed %d: %s: %s (%s %s %v)", seed, f.Check, f.What, f.View, f.Key, f.Start)
		}
		var open, explained int
		for _, c := range cells {
			switch c.Verdict {
			case report.CellOpen:
				open++
			case report.CellExplained:
				explained++
				if len(c.Causes) == 0 {
					t.Errorf("seed %d: cell %s/%s/%s is explained without a cause", seed, c.View, c.Key, c.Start)
				}
			}
		}
		if (open == 0) != (seed%2 == 0) {
			t.Errorf("seed %d: %d open cells", seed, open)
		}
		if explained == 0 || explained != r.Differences.Total {
			t.Errorf("seed %d: %d explained cells, %d differences", seed, explained, r.Differences.Total)
		}
		var causes []string
		for _, c := range r.Causes {
			causes = append(causes, c.Cause)
		}
		if want := []string{report.CauseLate, report.CauseStale, report.CauseForeign, report.CauseElsewhere}; !slices.Equal(causes, want) {
			t.Errorf("seed %d: causes %v, want %v", seed, causes, want)
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
}

func TestOpenIsNotWrong(t *testing.T) {
	w := newWorld(t)
	w.send(0, compare.Sent, w.event("key-0", 1000*minute, 5))
	r, cells := run(t, w.input())
	if r.Faults.Total != 0 || len(cells) != 3 {
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
	if r.Faults.Total > 0 || v.Cells.Closed != 2 || v.Cells.Same != 2 || v.Sides.B.Rows != 1 || v.Sides.B.Sum != 12 || len(cells) != 6 {
		t.Errorf("%+v %+v %+v", r.Faults.Listed, v.Cells, v.Sides)
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
