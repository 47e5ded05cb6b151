package batch_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"parallax.example/internal/answer"
	"parallax.example/internal/event"
	"parallax.example/internal/lake"
	"parallax.example/internal/oracle"
	"parallax.example/services/batch"
)

// grow adds a manifest with n events to the only partition.
func grow(t *testing.T, folder string, start int64, n int) {
	t.Helper()
	dir, err := lake.Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	var records []oracle.Record
	for i := range n {
		e := event.Event{Key: []byte("k"), Time: (start + int64(i)) * 60e6, Value: 1}
		records = append(records, oracle.Record{Offset: start + int64(i), Value: event.AppendProto(nil, &e)})
	}
	writeManifest(t, dir, &lake.Manifest{
		Version: lake.Version, Topic: topic, TopicID: "a-topic-id", Partitions: 1, Start: start, End: start + int64(n), Writer: "test",
		Files: []lake.File{}, DeadLetters: []lake.DeadLetter{}, Punctuations: []lake.Punctuation{},
	}, records, 10)
}

// eventually waits for a condition, with a deadline, while a watch goes on.
func eventually(t *testing.T, ended <-chan error, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); {
		select {
		case err := <-ended:
			t.Fatalf("it ended before %s: %v", what, err)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

func TestWatch(t *testing.T) {
	folder := t.TempDir()
	c := batch.WatchConfig{Every: time.Millisecond, Config: batch.Config{
		Lake: filepath.Join(folder, "lake"), Out: filepath.Join(folder, "out"), Views: filepath.Join(folder, "views.yaml"),
	}}
	if err := os.WriteFile(c.Views, []byte("views: [{name: v, window: {tumbling: 1h}}]"), 0o644); err != nil {
		t.Fatal(err)
	}
	other, dead := filepath.Join(c.Out, "by-hand"), []string{filepath.Join(c.Out, "_temporary", "watch-dead"), filepath.Join(c.Out, "watch-half")}
	for _, d := range append(dead, other) {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- batch.Watch(ctx, c, slog.New(slog.DiscardHandler)) }()

	// cuts are those of the finished jobs, in their order.
	cuts := func() (list []int64) {
		done, err := filepath.Glob(filepath.Join(c.Out, "watch-*", answer.SuccessName))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range done {
			b, err := os.ReadFile(name)
			if err != nil {
				continue // removed meanwhile
			}
			s, err := answer.DecodeSuccess(b)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, s.Partitions[0].Cut)
		}
		return list
	}
	for n := range int64(6) {
		grow(t, c.Lake, 10*n, 10)
		eventually(t, ended, "a job answers what was added", func() bool {
			for _, cut := range cuts() {
				if cut == 10*n+10 {
					return true
				}
			}
			return false
		})
	}
	eventually(t, ended, "three jobs are left", func() bool {
		left, err := filepath.Glob(filepath.Join(c.Out, "watch-*"))
		return err == nil && len(left) == 3 && len(cuts()) == 3
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := cuts(); len(got) != 3 {
		t.Errorf("a lake that does not grow was answered again: %v", got)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("another's job is gone:", err)
	}
	for _, d := range dead {
		if _, err := os.Stat(d); !os.IsNotExist(err) {
			t.Error("an unfinished job is left:", err)
		}
	}
	if got := slices.Sorted(slices.Values(cuts())); !slices.Equal(got, []int64{40, 50, 60}) {
		t.Errorf("the jobs that are left have the cuts %v, want the newest", got)
	}
}

// A job that cannot be done ends the watch: whoever restarts it is told.
func TestWatchFails(t *testing.T) {
	folder := t.TempDir()
	c := batch.WatchConfig{Every: time.Millisecond, Config: batch.Config{Lake: filepath.Join(folder, "lake"), Out: filepath.Join(folder, "out"), Views: filepath.Join(folder, "none.yaml")}}
	grow(t, c.Lake, 0, 1)
	if err := batch.Watch(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a watch without views ended well")
	}
}
