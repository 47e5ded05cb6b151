package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/parquet"
	"parallax.example/services/reporter/report"
)

// A recorded log gives the same rows however it is worked through.
func TestReplay(t *testing.T) {
	runs := folder(t)
	run(t, 0, "demo", "--exit", "--speed", "max", "--runs", runs)
	first := only(t, runs, "*")
	want := explained(t, first)
	wholeWeek(t, want)
	log := filepath.Join(first, "log", "events.parquet")
	records := recorded(t, log)
	if len(records) != 4 {
		t.Fatalf("%d partitions were recorded, want 4", len(records))
	}

	replay := func(t *testing.T, args ...string) (*process, string, *report.Report) {
		t.Helper()
		runs := folder(t)
		p := run(t, 0, append([]string{"demo", "--exit", "--speed", "max", "--runs", runs, "--log", log}, args...)...)
		dir := only(t, runs, "*")
		r := explained(t, dir)
		if diff := cmp.Diff(records, recorded(t, filepath.Join(dir, "log", "events.parquet"))); diff != "" {
			t.Errorf("the log is another one: %.2000s", diff)
		}
		if a, b := read(t, filepath.Join(first, "cells.csv")), read(t, filepath.Join(dir, "cells.csv")); a != b {
			t.Errorf("cells.csv of %s and of %s differ", first, dir)
		}
		if diff := cmp.Diff(figures(t, want), figures(t, r)); diff != "" {
			t.Errorf("the figures differ: %.2000s", diff)
		}
		return p, dir, r
	}
	t.Run("one processor, seldom commits", func(t *testing.T) {
		_, dir, _ := replay(t, "--processors", "1", "--commit-interval", "1s", "--batch-records", "100000")
		if exists(dir, "logs/processor-2.log") {
			t.Error("there was a second processor")
		}
	})
	t.Run("three processors, frequent commits", func(t *testing.T) {
		// Slower than it was recorded, so that all three have joined before the end.
		_, dir, _ := replay(t, "--speed", "0.5", "--processors", "3", "--commit-interval", "10ms", "--batch-records", "333")
		for _, name := range []string{"processor-1", "processor-2", "processor-3"} {
			if took, _ := ownership(t, filepath.Join(dir, "logs", name+".log")); len(took) == 0 {
				t.Errorf("%s owned nothing", name)
			}
		}
	})
	t.Run("processes", func(t *testing.T) {
		replay(t, "--processes", "--workers", "1")
	})
	t.Run("killed", func(t *testing.T) {
		// Many small commits, so that the kill finds it in the middle, and much slower than
		// it was recorded, so that the other one has joined before.
		p, dir, r := replay(t, "--speed", "0.1", "--processes", "--kill", "processor", "--session-timeout", "3s", "--commit-interval", "20ms", "--batch-records", "500")
		killed(t, p, dir, r)
	})
}

// The same source gives the same events, at whatever speed and in whichever run.
func TestSameSourceSameEvents(t *testing.T) {
	logs := make([]map[int32][]message, 2)
	for i, speed := range []string{"max", "300000"} {
		runs := folder(t)
		run(t, 0, "demo", "--exit", "--speed", speed, "--limit", "30000", "--runs", runs)
		logs[i] = recorded(t, only(t, runs, "*/log/events.parquet"))
	}
	events := 0
	for _, messages := range logs[0] {
		events += len(messages)
	}
	if want := 30_000 + 4; events != want {
		t.Errorf("%d messages, want %d", events, want)
	}
	if diff := cmp.Diff(logs[0], logs[1]); diff != "" {
		t.Errorf("two runs sent other events: %.2000s", diff)
	}
}

// message is one recorded message of a partition, in the order of offsets.
type message struct{ Key, Value string }

// recorded reads a recorded log, by partition.
func recorded(t *testing.T, path string) map[int32][]message {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Cursor(0, f.Groups(),
		parquet.Column{Name: "partition", Kind: parquet.Int32}, parquet.Column{Name: "offset", Kind: parquet.Int64},
		parquet.Column{Name: "key", Kind: parquet.Bytes, Optional: true}, parquet.Column{Name: "value", Kind: parquet.Bytes, Optional: true})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("cannot read %s: %v", path, err)
		}
	}
	log := map[int32][]message{}
	for {
		rows, err := c.Next()
		if errors.Is(err, io.EOF) {
			return log
		}
		must(err)
		partitions, err := c.Int64(0)
		must(err)
		offsets, err := c.Int64(1)
		must(err)
		keys, err := c.Codes(2)
		must(err)
		values, err := c.Codes(3)
		must(err)
		text := func(column int, code int32) string {
			if code < 0 {
				return "" // none
			}
			return string(c.Dict(column).Value(code))
		}
		for i := range rows {
			p := int32(partitions[i])
			if offsets[i] != int64(len(log[p])) {
				t.Fatalf("%s: offset %d of partition %d follows %d messages", path, offsets[i], p, len(log[p]))
			}
			log[p] = append(log[p], message{text(2, keys[i]), text(3, values[i])})
		}
	}
}

// figures are a report without what names the run and what a clock says.
func figures(t *testing.T, r *report.Report) map[string]any {
	t.Helper()
	same := *r
	same.Views = slices.Clone(r.Views)
	for i := range same.Views { // of windows still open there are as many rows as there are commits
		same.Views[i].Stages = report.Stages{Final: r.Views[i].Stages.Final}
	}
	b, err := json.Marshal(&same)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"run", "latency", "freshness"} {
		if all[name] == nil {
			t.Errorf("the report has no %s", name)
		}
		delete(all, name)
	}
	return all
}
