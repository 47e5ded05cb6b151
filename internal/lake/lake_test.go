package lake_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"parallax.example/internal/lake"
)

const topic = "parallax.events"

func create(t testing.TB) *lake.Dir {
	t.Helper()
	d, err := lake.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// draft prepares the range [start, end) of a partition as one event per offset,
// all in one hour, whose file holds text.
func draft(t testing.TB, d *lake.Dir, partition int32, start, end int64, text string) (*lake.Draft, *lake.Manifest) {
	t.Helper()
	dr := d.Draft(lake.NewID())
	const eventTime = 3600e6 * 5
	f, err := dr.Create(lake.HourOf(eventTime))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(f, text); err != nil {
		t.Fatal(err)
	}
	return dr, &lake.Manifest{
		Version: lake.Version, Topic: topic, TopicID: "id-1", Partitions: 4, Partition: partition,
		First: 0, Start: start, End: end,
		Counts: lake.Counts{Records: end - start, Events: end - start},
		Files: []lake.File{{
			Size: f.Size(), SHA256: f.SHA256(), Rows: end - start, MinOffset: start, MaxOffset: end - 1,
			MinEventTime: eventTime, MaxEventTime: eventTime + 1,
		}},
		DeadLetters: []lake.DeadLetter{}, Punctuations: []lake.Punctuation{},
		Writer: "test", Created: time.Unix(1e9, 0).UTC(),
	}
}

func commit(t testing.TB, d *lake.Dir, partition int32, start, end int64) *lake.Manifest {
	t.Helper()
	dr, m := draft(t, d, partition, start, end, fmt.Sprint(start, end))
	if err := dr.Commit(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func chain(t testing.TB, d *lake.Dir, partition int32) *lake.Chain {
	t.Helper()
	c, err := d.Chain(topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func orphans(t testing.TB, d *lake.Dir) []string {
	t.Helper()
	list, err := d.Orphans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// files counts everything that lies in the lake.
func files(t testing.TB, d *lake.Dir) (n int) {
	t.Helper()
	err := filepath.WalkDir(d.Folder(), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCommitGrowsTheChain(t *testing.T) {
	d := create(t)
	if next, ok := chain(t, d, 2).Next(); ok {
		t.Fatalf("the chain of an empty lake ends at %d", next)
	}
	commit(t, d, 2, 0, 10)
	commit(t, d, 2, 10, 25)
	commit(t, d, 2, 25, 26)

	c := chain(t, d, 2)
	if next, ok := c.Next(); !ok || next != 26 || len(c.Manifests) != 3 {
		t.Fatalf("the chain has %d manifests up to %d", len(c.Manifests), next)
	}
	for cut, want := range map[int64]int{0: 0, 1: 1, 10: 1, 11: 2, 25: 2, 26: 3, 99: 3} {
		if got := len(c.Below(cut)); got != want {
			t.Errorf("Below(%d) has %d manifests, want %d", cut, got, want)
		}
	}
	for _, m := range c.Manifests {
		if err := d.Verify(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
	want := "events/dt=1970-01-01/hour=05/parallax.events-2-10-25-"
	if p := c.Manifests[1].Files[0].Path; len(p) != len(want)+16+len(".parquet") || p[:len(want)] != want {
		t.Errorf("the file lies at %q", p)
	}
	if _, err := os.Stat(filepath.Join(d.Folder(), "manifests/parallax.events/2/00000000000000000010.json")); err != nil {
		t.Error(err)
	}
	if list := orphans(t, d); len(list) > 0 {
		t.Errorf("orphans: %q", list)
	}

	topics, err := d.Topics()
	if err != nil || len(topics) != 1 || topics[0] != topic {
		t.Errorf("topics %q, %v", topics, err)
	}
	chains, err := d.Chains(topic)
	if err != nil || len(chains) != 4 || len(chains[2].Manifests) != 3 || len(chains[3].Manifests) != 0 {
		t.Errorf("chains %v, %v", chains, err)
	}
}

func TestTakenRange(t *testing.T) {
	d := create(t)
	commit(t, d, 0, 0, 10)
	before := files(t, d)
	dr, m := draft(t, d, 0, 0, 12, "another")
	if err := dr.Commit(m); !errors.Is(err, lake.ErrTaken) {
		t.Fatalf("the second commit of a start: %v", err)
	}
	if after := files(t, d); after != before {
		t.Errorf("the loser left %d files: %q", after-before, orphans(t, d))
	}
	if next, _ := chain(t, d, 0).Next(); next != 10 {
		t.Errorf("the chain ends at %d, the winner's range at 10", next)
	}
}

// A writer that dies after any step leaves either nothing visible or the whole
// range, and its successor can go on at once.
func TestKilledWriter(t *testing.T) {
	for n := 0; ; n++ {
		d := create(t)
		commit(t, d, 0, 0, 10)
		dr, m := draft(t, d, 0, 10, 20, "killed")
		steps, err := dr.CommitUpTo(m, n)
		if err != nil {
			t.Fatal(err)
		}
		next, _ := chain(t, d, 0).Next()
		left := orphans(t, d)
		switch {
		case next == 20:
			for _, m := range chain(t, d, 0).Manifests {
				if err := d.Verify(t.Context(), m); err != nil {
					t.Errorf("killed after step %d: %v", n, err)
				}
			}
		case next != 10 || n == steps:
			t.Fatalf("killed after step %d: the chain ends at %d", n, next)
		case len(left) == 0:
			t.Errorf("killed after step %d: the killed writer's file is not an orphan", n)
		}
		commit(t, d, 0, next, next+5) // the successor
		if end, _ := chain(t, d, 0).Next(); end != next+5 {
			t.Errorf("killed after step %d: the successor's chain ends at %d", n, end)
		}
		if n == steps {
			if len(left) > 0 {
				t.Errorf("a whole commit leaves %q", left)
			}
			return
		}
	}
}

func TestDiscard(t *testing.T) {
	d := create(t)
	dr, _ := draft(t, d, 0, 0, 10, "dropped")
	if n := files(t, d); n != 1 {
		t.Fatalf("%d files while the draft is written", n)
	}
	if err := dr.Discard(); err != nil {
		t.Fatal(err)
	}
	if n := files(t, d); n != 0 {
		t.Errorf("%d files after the draft was discarded", n)
	}
}

// A commit that fails before its link leaves no file of its own.
func TestFailedCommit(t *testing.T) {
	d := create(t)
	if err := os.WriteFile(filepath.Join(d.Folder(), "manifests"), []byte("in the way"), 0o644); err != nil {
		t.Fatal(err)
	}
	dr, m := draft(t, d, 0, 0, 10, "x")
	if err := dr.Commit(m); err == nil || errors.Is(err, lake.ErrTaken) {
		t.Fatalf("commit below a file: %v", err)
	}
	if n := files(t, d); n != 1 {
		t.Errorf("%d files are left, want only the one in the way", n)
	}
}
