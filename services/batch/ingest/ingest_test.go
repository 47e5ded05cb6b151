package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
)

const hour = 3600e6 // µs

// record gives the i-th record of a recording in which everything occurs: both
// wire forms, events with and without an id, late ones, duplicates, wild
// clocks, punctuation of known and unknown senders, dead letters, tombstones.
func record(i int) []byte {
	e := event.Event{
		Producer: fmt.Appendf(nil, "gate-%d", i%4), Seq: uint64(i), HasID: true,
		Key: fmt.Appendf(nil, "k%d", i%7), Subject: fmt.Appendf(nil, "s%d", i%50),
		Time: 980985600e6 + int64(i)*20e6, Value: int64(i*i%1000 - 500),
	}
	switch i % 23 {
	case 3:
		return nil // a tombstone
	case 5:
		return []byte("not an event \xff")
	case 7:
		return event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: e.Time})
	case 8:
		return event.AppendPunctuationJSON(nil, &event.Punctuation{Sender: []byte("nobody"), Watermark: 5})
	case 10:
		e.HasID, e.Producer, e.Seq = false, nil, 0
	case 11:
		e.Time -= 5 * hour
	case 12:
		e.Seq -= 5
	case 13:
		e.Time = int64(i) * 1000 * hour
	case 14:
		e.Time = event.EndTime // out of range
	case 15:
		return event.AppendJSON(nil, &e)
	case 16:
		return []byte(`{"key":"` + strings.Repeat("é", 400) + `"}`)
	case 17:
		e.Subject = nil
	}
	return event.AppendProto(nil, &e)
}

func recording(n int) [][]byte {
	values := make([][]byte, n)
	for i := range values {
		values[i] = record(i)
	}
	return values
}

// mustHold compares the lake with the log, and wants none of it to be empty.
func (w *world) mustHold() {
	w.t.Helper()
	want := w.log()
	if len(want.Rows) == 0 || len(want.DeadLetters) == 0 || len(want.Punctuations) == 0 {
		w.t.Fatal("the recording lacks something")
	}
	if diff := cmp.Diff(want, w.lake()); diff != "" {
		w.t.Errorf("the lake is not the log (-log +lake):\n%.4000s", diff)
	}
	d, err := lake.Open(w.folder)
	if err != nil {
		w.t.Fatal(err)
	}
	defer d.Close()
	for p, end := range w.ends() {
		c, err := d.Chain(w.topic, int32(p))
		if err != nil {
			w.t.Fatal(err)
		}
		if next, _ := c.Next(); next != end {
			w.t.Errorf("the chain of partition %d ends at %d, the log at %d", p, next, end)
		}
	}
}

func (w *world) noOrphans() {
	w.t.Helper()
	d, err := lake.Open(w.folder)
	if err != nil {
		w.t.Fatal(err)
	}
	defer d.Close()
	if list, err := d.Orphans(w.t.Context()); err != nil || len(list) > 0 {
		w.t.Errorf("orphans %q, %v", list, err)
	}
}

func TestLakeIsTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(400)...)
	w.transaction(false, record(0), record(1))
	w.transaction(true, record(2), record(3), record(4))
	w.send(recording(100)...) // all of them duplicates
	w.transaction(false, record(0))
	g := w.toEnd(w.config("a"))
	w.mustHold()
	w.noOrphans()

	c := g.Counters()
	in := w.lake()
	if c.Rows.Load() != int64(len(in.Rows)) || c.DeadLetters.Load() != int64(len(in.DeadLetters)) || c.Punctuations.Load() != int64(len(in.Punctuations)) {
		t.Errorf("counted %d rows, %d dead letters, %d punctuations; the lake has %d, %d, %d",
			c.Rows.Load(), c.DeadLetters.Load(), c.Punctuations.Load(), len(in.Rows), len(in.DeadLetters), len(in.Punctuations))
	}
	if n := c.Manifests.Load(); n < 10 {
		t.Errorf("%d manifests: ranges of 50 records were not tried", n)
	}

	// Nothing is left to do: another run changes nothing.
	again := w.toEnd(w.config("b"))
	if n := again.Counters().Manifests.Load(); n != 0 {
		t.Errorf("a second run wrote %d manifests", n)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(90)...)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := w.config("a")
	c.Metrics = free.Addr().String()
	free.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.ingester(c).Run(ctx) }()
	var text []byte
	for end := time.Now().Add(patience); !strings.Contains(string(text), "\nparallax_ingest_read_total 90\n"); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("got:\n%s", text)
		}
		if answer, err := http.Get("http://" + c.Metrics + "/metrics"); err == nil {
			text, err = io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// The address is taken, so the second is refused before it joins.
	if err := w.ingester(c).Run(ctx); err == nil || !strings.Contains(err.Error(), "cannot serve metrics") {
		t.Errorf("on a busy address: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestEmptyTopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.toEnd(w.config("a"))
	if c := w.lake(); len(c.Rows) > 0 {
		t.Errorf("rows of nothing: %v", c.Rows)
	}
}

// An ingester that is stopped anywhere commits what it has read; the next one,
// in whatever group and with whatever ranges, goes on there.
func TestRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(2000)...)
	for i := range 5 {
		c := w.config(fmt.Sprintf("group-%d", i%2))
		c.Rows = 30 + i*20
		g := w.ingester(c)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := g.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		wait(t, func() bool { return g.Counters().Manifests.Load() >= 2 || i > 2 })
		cancel()
		wg.Wait()
		w.noOrphans()
	}
	w.toEnd(w.config("group-0"))
	w.mustHold()
}

// Two groups: both ingesters own every partition all the time and race.
func TestRacingIngesters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(3000)...)
	var wg sync.WaitGroup
	var taken, manifests int64
	var mu sync.Mutex
	for i := range 2 {
		wg.Go(func() {
			c := w.config(fmt.Sprintf("group-%d", i))
			c.Rows = 40 + i*13
			g := w.toEnd(c)
			mu.Lock()
			defer mu.Unlock()
			taken += g.Counters().Taken.Load()
			manifests += g.Counters().Manifests.Load()
		})
	}
	wg.Wait()
	w.mustHold()
	w.noOrphans()
	d, err := lake.Open(w.folder)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	chains, err := d.Chains(w.topic)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, c := range chains {
		n += int64(len(c.Manifests))
	}
	if n != manifests {
		t.Errorf("%d manifests, %d commits counted", n, manifests)
	}
	t.Logf("%d manifests, %d ranges lost to the other", manifests, taken)
}

// One group: the partitions move while records come in, and Until ends both.
func TestSharedPartitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(900)...)
	first := w.ingester(w.config("shared"))
	second := w.ingester(w.config("shared"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	run := func(run func(context.Context) error) {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	run(first.Run)
	wait(t, func() bool { return first.Counters().Manifests.Load() > 0 })
	run(second.Run)
	for range 6 {
		w.send(recording(500)...)
	}
	wait(t, func() bool { w.send(recording(100)...); return second.Counters().Manifests.Load() > 0 })
	first.Until(w.ends())
	second.Until(w.ends())
	wg.Wait()
	if ctx.Err() != nil {
		t.Fatal("the ingesters did not reach the cut")
	}
	w.mustHold()
	w.noOrphans()
}

// An ingester whose ctx ends stops soon, leaves nothing half done, and the next
// one goes on where it stopped.
func TestStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.config("a")
	c.Rows = 1 << 20
	w.send(recording(600)...)
	g := w.ingester(c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- g.Run(ctx) }()
	wait(t, func() bool { return g.Counters().Read.Load() == 600 && g.Counters().Lag.Load() == 600 })
	if n := g.Counters().Manifests.Load(); n != 0 {
		t.Fatalf("%d manifests before the range was full", n)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second): // two seconds where the machine is idle
		t.Fatal("it did not end")
	}
	if g.Counters().Manifests.Load() == 0 {
		t.Error("nothing of what it had read was committed")
	}
	w.noOrphans()
	c = w.config("b")
	c.ToEnd = true
	if err := w.ingester(c).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.mustHold()
}

// What an ingester cannot go on with stops it, and it says what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(30)...)
	info, err := w.admin.Topic(t.Context(), w.topic)
	if err != nil {
		t.Fatal(err)
	}
	// f begins a lake as another topic, or another time, would have left it.
	f := func(what string, change func(m *lake.Manifest), texts ...string) {
		t.Helper()
		folder := t.TempDir()
		d, err := lake.Create(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		m := &lake.Manifest{
			Version: lake.Version, Topic: w.topic, TopicID: info.ID, Partitions: partitions, Partition: 1, End: 5,
			Files: []lake.File{}, DeadLetters: []lake.DeadLetter{}, Punctuations: []lake.Punctuation{}, Created: time.Unix(0, 0).UTC(),
		}
		change(m)
		if err := d.Draft(lake.NewID()).Commit(m); err != nil {
			t.Fatal(err)
		}
		c := w.config(what)
		c.Lake, c.ToEnd = folder, true
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err = w.ingester(c).Run(ctx)
		if err == nil {
			t.Errorf("%s: it went on", what)
			return
		}
		for _, s := range texts {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: the error does not speak of %q: %v", what, s, err)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has more than one line: %v", what, err)
		}
	}
	f("made again", func(m *lake.Manifest) { m.TopicID = "another" }, "made again", "begin a new lake")
	f("partitions", func(m *lake.Manifest) { m.Partitions = 5 }, "3 partitions", "5", "begin a new lake")
	f("ahead", func(m *lake.Manifest) { m.End = 999 }, "offset 999", "begin a new lake")

	c := w.config("a")
	c.TopicPrefix = "nothing"
	if err := w.ingester(c).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing.events") {
		t.Errorf("no topic: %v", err)
	}
	c = w.config("a")
	c.Brokers = "127.0.0.1:1"
	if err := w.ingester(c).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("no broker: %v", err)
	}
	c = w.config("a")
	c.Lake = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(c.Lake, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.ingester(c).Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.Lake) {
		t.Errorf("a file as lake: %v", err)
	}
}

// A folder that takes no files gives one clear error, and nothing half-done.
func TestFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(200)...)
	for _, p := range []string{"events", "manifests", "events/dt=2001-02-01"} {
		folder := t.TempDir()
		inTheWay := filepath.Join(folder, p)
		if err := os.MkdirAll(filepath.Dir(inTheWay), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(inTheWay, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		c := w.config(p)
		c.Lake, c.ToEnd = folder, true
		err := w.ingester(c).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "lake folder: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s in the way: %v", p, err)
		}
		err = filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() && path != inTheWay {
				return fmt.Errorf("%s was left", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestCutOfOtherPartitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.ingester(w.config("a"))
	g.Until([]int64{0, 0})
	if err := g.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a cut of two partitions for a topic of three: %v", err)
	}
}

func wait(t testing.TB, until func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !until(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s", patience)
		}
	}
}
