package reporter_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"parallax.example/internal/result"
	"parallax.example/services/reporter"
	"parallax.example/services/reporter/report"
)

// summary is where the tests' summaries go: -v shows them.
func summary(t *testing.T) *os.File {
	if testing.Verbose() {
		return os.Stdout
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	f, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func (l *lab) written() *report.Report {
	b, err := os.ReadFile(l.path("out/report.json"))
	must(l.t, err)
	var r report.Report
	must(l.t, json.Unmarshal(b, &r))
	return &r
}

func TestExplained(t *testing.T) {
	l := newLab(t, 300)
	r := l.reporter(summary(t))
	must(t, r.Start(t.Context()))
	l.process(nil)
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := l.written()
	if got.Verdict.Outcome != report.Explained || got.Verdict.ExitCode != 0 || got.Faults.Total != 0 {
		t.Errorf("%+v %+v", got.Verdict, got.Faults)
	}
	if got.Ledger.OK != 300 || got.Records.Valid != 300 || got.Records.DeadLetter != 1 || got.Records.Duplicate != 30 || got.Ledger.Duplicated != 30 {
		t.Errorf("%+v %+v", got.Ledger, got.Records)
	}
	v := &got.Views[0]
	if v.Late.Count == 0 || v.Sides.B.Count != 300 || v.Sides.Stream.Count+v.Late.Count != 300 || v.Sides.Truth.Figures != v.Sides.B.Figures {
		t.Errorf("%+v %+v", v.Sides, v.Late)
	}
	if len(got.Latency) != 1 || got.Latency[0].Count != uint64(len(l.stream.Rows)) || got.Latency[0].Lowest < 0 {
		t.Errorf("%+v", got.Latency)
	}
	if len(got.Freshness) != 4 {
		t.Errorf("%+v", got.Freshness)
	}
	live := r.Live()
	if live.Stream == nil || live.Stream.Count != v.Sides.Stream.Count || len(live.Windows) == 0 || live.Totals.Late != v.Late.Count {
		t.Errorf("%+v", live)
	}
	for _, name := range []string{"report.html", "report.md", "cells.csv", "cells.parquet"} {
		if info, err := os.Stat(l.path("out/" + name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnexplained(t *testing.T) {
	l := newLab(t, 100)
	n := 0
	l.process(func(r *result.Result) {
		if n++; n == 5 {
			r.Agg.SumLow++
		}
	})
	err := l.reporter(summary(t)).Run(t.Context())
	var verdict *reporter.Verdict
	if !errors.As(err, &verdict) || verdict.ExitCode() != 1 {
		t.Fatalf("%v", err)
	}
	got := l.written()
	if got.Verdict.ExitCode != 1 || got.Faults.Total == 0 || got.Faults.Listed[0].Check != "stream-a" || got.Faults.Listed[0].Key == "" {
		t.Errorf("%+v %+v", got.Verdict, got.Faults)
	}
	if len(got.Latency) != 0 {
		t.Errorf("latencies of what was there before: %+v", got.Latency)
	}
}

func TestNotCompared(t *testing.T) {
	for name, spoil := range map[string]func(*lab){
		"the stream never came":       func(*lab) {},
		"the batch is not finished":   func(l *lab) { must(l.t, os.Remove(l.path("batch/_SUCCESS.json"))) },
		"there is no ledger":          func(l *lab) { must(l.t, os.Remove(l.path("generator.ledger"))) },
		"the lake is gone":            func(l *lab) { must(l.t, os.RemoveAll(l.path("lake"))) },
		"the batch's rows are broken": func(l *lab) { must(l.t, os.WriteFile(l.path("batch/rows/all.parquet"), []byte("x"), 0o644)) },
		"another question": func(l *lab) {
			must(l.t, os.WriteFile(l.path("views.yaml"), []byte(questions+"  - {name: daily, window: {tumbling: 24h}}\n"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, 20)
			spoil(l)
			err := l.reporter(summary(t)).Run(t.Context())
			var verdict *reporter.Verdict
			if err == nil || errors.As(err, &verdict) {
				t.Fatalf("%v", err)
			}
			t.Log(err)
			if got := l.written(); got.Verdict.ExitCode != 2 || got.Verdict.Outcome != report.NotCompared || got.Verdict.Reason == "" {
				t.Errorf("%+v", got.Verdict)
			}
		})
	}
}
