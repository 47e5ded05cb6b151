package lake_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"parallax.example/internal/lake"
)

// Writers that all believe in owning a partition race over its chain. Each
// start has exactly one winner, a reader sees a whole chain at any moment, and
// the losers leave nothing.
func TestRacingWriters(t *testing.T) {
	const writers, end = 4, 100
	folder := t.TempDir()
	var wins, losses atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			d, err := lake.Create(folder)
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			for {
				c, err := d.Chain(topic, 1)
				if err != nil {
					t.Error(err)
					return
				}
				next, _ := c.Next()
				if next >= end {
					return
				}
				dr, m := draft(t, d, 1, next, next+1+int64(w)+next%3, "x")
				switch err := dr.Commit(m); {
				case err == nil:
					wins.Add(1)
				case errors.Is(err, lake.ErrTaken):
					losses.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	d, err := lake.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	reader := make(chan struct{})
	go func() {
		defer close(reader)
		for last := int64(0); !done.Load(); {
			c, err := d.Chain(topic, 1)
			if err != nil {
				t.Errorf("a reader during the race: %v", err)
				return
			}
			next, _ := c.Next()
			if next < last {
				t.Errorf("the chain went back from %d to %d", last, next)
			}
			last = next
		}
	}()
	wg.Wait()
	done.Store(true)
	<-reader

	c := chain(t, d, 1)
	if next, _ := c.Next(); next < end || int64(len(c.Manifests)) != wins.Load() {
		t.Errorf("%d manifests up to %d, and %d commits that won", len(c.Manifests), next, wins.Load())
	}
	if losses.Load() == 0 {
		t.Log("no two writers met: the race was not tested in this run")
	}
	if list := orphans(t, d); len(list) > 0 {
		t.Errorf("losers left %q", list)
	}
}

// All drafts of one start are ready before the first commit, so they do meet.
func TestOneWinner(t *testing.T) {
	d := create(t)
	const writers = 8
	errs := make([]error, writers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		dr, m := draft(t, d, 0, 0, int64(10+w), "x")
		wg.Go(func() {
			<-start
			errs[w] = dr.Commit(m)
		})
	}
	close(start)
	wg.Wait()
	winner := -1
	for w, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("writers %d and %d both won", winner, w)
		case err == nil:
			winner = w
		case !errors.Is(err, lake.ErrTaken):
			t.Error(err)
		}
	}
	if next, _ := chain(t, d, 0).Next(); winner < 0 || next != int64(10+winner) {
		t.Errorf("writer %d won and the chain ends at %d", winner, next)
	}
	if n := files(t, d); n != 2 {
		t.Errorf("%d files, want the winner's data and manifest", n)
	}
}
