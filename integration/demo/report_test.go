package demo

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"parallax.example/services/reporter/report"
)

// The built-in week, as it must come out of every whole run.
const (
	weekEvents = 116_493
	weekRows   = 16_460 // of the hourly view
	weekSum    = 1_595_408
	weekRushes = 5_822 // sessions of the batch
)

// verdict reads a run's report.
func verdict(t *testing.T, dir string) *report.Report {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "report.json"))), &r); err != nil {
		t.Fatalf("cannot read the report: %v", err)
	}
	return &r
}

// explained reads a run's report and demands what holds of every good run.
func explained(t *testing.T, dir string) *report.Report {
	t.Helper()
	r := verdict(t, dir)
	if r.Verdict.ExitCode != 0 || r.Verdict.Outcome != report.Explained || r.Faults.Total != 0 {
		t.Errorf("verdict %+v, %d unexplained", r.Verdict, r.Faults.Total)
	}
	identities := r.Identities
	if len(r.Views) != 3 {
		t.Fatalf("%d views, want the 3 of views.yaml", len(r.Views))
	}
	for _, v := range r.Views {
		c := v.Cells
		if c.Closed == 0 || c.StreamIsA != c.Closed || c.MergedIsB != c.Closed || c.TruthIsB != c.Closed || c.Unexplained != 0 || c.Open != 0 {
			t.Errorf("view %s: cells %+v: not equal in every closed one", v.Name, c)
		}
		identities = append(identities, v.Identities...)
	}
	if len(identities) < 5 {
		t.Errorf("only %d identities were checked", len(identities))
	}
	for _, i := range identities {
		if !i.Holds {
			t.Errorf("%q does not hold: %+v", i.Statement, i)
		}
	}
	return r
}

// wholeWeek demands the week's own figures.
func wholeWeek(t *testing.T, r *report.Report) {
	t.Helper()
	if l := r.Ledger; l.Generated != weekEvents || l.OK+l.Found != weekEvents || l.NotSent != 0 || l.BeyondCut != 0 {
		t.Errorf("ledger %+v: want %d generated, all accounted for", l, weekEvents)
	}
	if r.Records.Valid != weekEvents || r.Records.DeadLetter != 0 {
		t.Errorf("records %+v: want %d valid", r.Records, weekEvents)
	}
	v := r.Views[0]
	if v.Name != "hourly" || v.Sides.B.Rows != weekRows || v.Sides.B.Sum != weekSum || v.Sides.B.Count != weekEvents {
		t.Errorf("view %s: B %+v, want %d rows, count %d, sum %d", v.Name, v.Sides.B, weekRows, weekEvents, weekSum)
	}
	if s := r.Views[2]; s.Name != "rushes" || s.Sides.B.Rows != weekRushes || s.Sides.Stream.Rows <= weekRushes || s.Sides.B.Count != weekEvents || s.Stages.Retracted == 0 {
		t.Errorf("view %s: B %d rows, stream %d, %+v; want %d sessions, more by the stream, and retractions", s.Name, s.Sides.B.Rows, s.Sides.Stream.Rows, s.Stages, weekRushes)
	}
	if stream := v.Sides.Stream.Mean; stream < 0.4*v.Sides.B.Mean || stream > 0.6*v.Sides.B.Mean {
		t.Errorf("the stream's mean is %v and the batch's %v; with four partitions it is about half", stream, v.Sides.B.Mean)
	}
}
