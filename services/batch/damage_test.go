package batch_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"parallax.example/internal/answer"
	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/batch"
)

const viewsText = `
time: {believed: {count: 2, of: 4}, punctuation: [gen]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 10m}
  - {name: sliding, window: {hopping: 2h, every: 30m}, aggregates: [p50, distinct]}
  - {name: visits, window: {session: 11m}, lateness: 10m, aggregates: [count, p99, distinct]}
  - {name: stays, window: {session: 40m}, lateness: 0s}
`

// smallLake has two partitions, some hours, a duplicate and late events.
func smallLake(t testing.TB) (batch.Config, []oracle.Record) {
	folder := t.TempDir()
	c := batch.Config{Lake: filepath.Join(folder, "lake"), Out: filepath.Join(folder, "out"), Views: filepath.Join(folder, "views.yaml"), Job: "job"}
	if err := os.WriteFile(c.Views, []byte(viewsText), 0o644); err != nil {
		t.Fatal(err)
	}
	var log []oracle.Record
	for i := range int64(400) {
		p := int32(i % 2)
		e := event.Event{
			Key: []byte(fmt.Sprint("k", i%5)), Producer: []byte("gen"), Seq: uint64(i - i%50/49*2), HasID: true, Subject: []byte(fmt.Sprint("s", i%9)),
			Time: 1_000_000_000_000_000 + i*60_000_000 - i%7*20*60_000_000, Value: i,
		}
		log = append(log, oracle.Record{Partition: p, Offset: 3*int64(p) + i/2, Value: event.AppendProto(nil, &e)})
	}
	writeLake(t, c.Lake, 2, log, []int{70, 30}, 0)
	return c, log
}

func TestSmallLake(t *testing.T) {
	c, log := smallLake(t)
	s, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	f, err := view.Parse("views.yaml", []byte(viewsText))
	if err != nil {
		t.Fatal(err)
	}
	g := read(t, filepath.Join(c.Out, c.Job))
	check(t, f, log, g)
	if s.Partitions[1].Duplicates == 0 || len(g.judged) < 50 || len(g.rows[answer.A]) < 20 {
		t.Errorf("the test shows little: %+v, %d judgements, %d rows", s.Partitions[1], len(g.judged), len(g.rows[answer.A]))
	}
	if _, err := run(t, c); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("the same job again: %v", err)
	}
}

// The same lake and views give the same bytes on every machine. Another version of
// a library may write other bytes of the same rows: then look at the rows, and
// change these names.
func TestGoldenFiles(t *testing.T) {
	c, _ := smallLake(t)
	s, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range s.Files {
		got = append(got, f.Path)
	}
	want := []string{"judgements/part-00000-b325a320.parquet", "rows/part-00000-2492432f.parquet"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Within a file windows come first, by cell, then sessions by key, partition,
// view and span, A before B of the same; judgements likewise.
func TestOrderOfFiles(t *testing.T) {
	c, _ := smallLake(t)
	if _, err := run(t, c); err != nil {
		t.Fatal(err)
	}
	f, err := view.Parse("views.yaml", []byte(viewsText))
	if err != nil {
		t.Fatal(err)
	}
	sessions := map[string]bool{}
	for i := range f.Views {
		sessions[f.Views[i].ID()] = f.Views[i].Window.Kind == view.Session
	}
	rank := func(c result.Cell) int {
		if sessions[c.View] {
			return 1
		}
		return 0
	}
	a, err := answer.Open(filepath.Join(c.Out, c.Job))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var rows []answer.Row
	var judged []answer.Judgement
	err = errors.Join(
		a.Rows(func(r *answer.Row) error { rows = append(rows, *r); return nil }),
		a.Judgements(func(j *answer.Judgement) error { judged = append(judged, *j); return nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	byKey := func(x, y result.Cell) int {
		return cmp.Or(strings.Compare(x.Key, y.Key), cmp.Compare(x.Partition, y.Partition), strings.Compare(x.View, y.View))
	}
	if !slices.IsSortedFunc(rows, func(x, y answer.Row) int {
		order := byKey
		if rank(x.Cell) == 0 {
			order = func(x, y result.Cell) int { return 0 }
		}
		return cmp.Or(cmp.Compare(rank(x.Cell), rank(y.Cell)), order(x.Cell, y.Cell), x.Cell.Compare(y.Cell), strings.Compare(string(x.Reading), string(y.Reading)))
	}) {
		t.Error("rows are out of order")
	}
	if !slices.IsSortedFunc(judged, func(x, y answer.Judgement) int {
		order := byKey
		if rank(x.Cell) == 0 {
			order = func(x, y result.Cell) int { return cmp.Compare(x.Partition, y.Partition) }
		}
		return cmp.Or(cmp.Compare(rank(x.Cell), rank(y.Cell)), order(x.Cell, y.Cell), cmp.Compare(x.Offset, y.Offset),
			strings.Compare(x.Cell.View, y.Cell.View), cmp.Compare(x.Cell.Span.Start, y.Cell.Span.Start))
	}) {
		t.Error("judgements are out of order")
	}
	late := slices.IndexFunc(judged, func(j answer.Judgement) bool { return rank(j.Cell) == 1 })
	if late < 1 || rank(rows[0].Cell) != 0 || rank(rows[len(rows)-1].Cell) != 1 {
		t.Error("the test shows little")
	}
}

// TestRefusals damages the lake: each time one clear error, and no job.
func TestRefusals(t *testing.T) {
	parquets := func(c batch.Config) []string {
		files, err := filepath.Glob(filepath.Join(c.Lake, "events", "*", "*", "*.parquet"))
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		return files
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := func(name, want string, damage func(c *batch.Config)) {
		t.Helper()
		c, _ := smallLake(t)
		damage(&c)
		_, err := run(t, c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %q, want one with %q", name, err, want)
		}
		if _, err := os.Stat(filepath.Join(c.Out, c.Job)); err == nil {
			t.Errorf("%s: the job exists", name)
		}
	}
	f("a byte is flipped", ".parquet", func(c *batch.Config) {
		file := parquets(*c)[1]
		b, err := os.ReadFile(file)
		must(err)
		b[len(b)/2] ^= 1
		must(os.WriteFile(file, b, 0o644))
	})
	f("a file is cut off", ".parquet", func(c *batch.Config) { must(os.Truncate(parquets(*c)[0], 100)) })
	f("a file is missing", ".parquet", func(c *batch.Config) { must(os.Remove(parquets(*c)[2])) })
	f("another file stands there", ".parquet", func(c *batch.Config) {
		b, err := os.ReadFile(parquets(*c)[0])
		must(err)
		must(os.WriteFile(parquets(*c)[1], b, 0o644))
	})
	f("a manifest is missing", "missing", func(c *batch.Config) {
		files, err := filepath.Glob(filepath.Join(c.Lake, "manifests", topic, "0", "*.json"))
		must(err)
		must(os.Remove(files[1]))
	})
	f("no lake", "cannot open lake", func(c *batch.Config) { c.Lake += "x" })
	f("no such topic", "cannot find topic", func(c *batch.Config) { c.Topic = "other" })
	f("a cut beyond the lake", "cannot cut partition 1", func(c *batch.Config) { c.Cut = "1=100000" })
	f("a cut of no partition", "cannot cut partition 7", func(c *batch.Config) { c.Cut = "7=1" })
	f("a read-only output", "cannot create", func(c *batch.Config) {
		must(os.WriteFile(c.Out, nil, 0o644))
	})
}

// TestReaderRefuses damages an answer.
func TestReaderRefuses(t *testing.T) {
	c, _ := smallLake(t)
	if _, err := run(t, c); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(c.Out, c.Job)
	success := filepath.Join(folder, answer.SuccessName)
	whole, err := os.ReadFile(success)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(success, bytes.Replace(whole, []byte(`"version": 2`), []byte(`"version": 1`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.Open(folder); err == nil || !strings.Contains(err.Error(), "version 1, this program reads 2; run the batch again") {
		t.Errorf("another version: %v", err)
	}
	if err := os.Remove(success); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.Open(folder); err == nil || !strings.Contains(err.Error(), "not complete") {
		t.Errorf("no success: %v", err)
	}
	if err := os.WriteFile(success, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	rows, _ := filepath.Glob(filepath.Join(folder, "rows", "*"))
	b, err := os.ReadFile(rows[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 4
	if err := os.WriteFile(rows[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.Open(folder); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a flipped bit: %v", err)
	}
}
