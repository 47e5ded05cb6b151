package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/services/processor/task"
)

// changed is views with another lateness of hourly, and a new view.
var changed = strings.Replace(views, "10m", "20m", 1) +
	"  - {name: visits, window: {session: 40m}, lateness: 5m, aggregates: [count, p95, distinct]}\n"

// process takes the whole input in.
func (l *lab) process() {
	l.t.Helper()
	r := l.start(l.config("slot-0"))
	l.await("the end", l.drained(r), r)
	r.stop()
}

// within is how long a change may take.
func (l *lab) within() context.Context {
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*patience)
	l.t.Cleanup(cancel)
	return ctx
}

// ask changes the views that are asked from now on.
func (l *lab) ask(text string) { l.views, l.changed = l.parse(text), true }

// markers are those of changes that were made.
func (l *lab) markers() []string {
	return slices.DeleteFunc(l.allMarkers(), func(m string) bool { return strings.HasPrefix(m, "view-rebuilding ") })
}

func (l *lab) allMarkers() (list []string) {
	l.t.Helper()
	ends, err := l.admin().Offsets(l.t.Context(), l.topics.Markers, []int32{0})
	must(l.t, err)
	must(l.t, kafka.ReadTo(l.t.Context(), l.kafka, kafka.ReaderConfig{}, []kafka.Range{{Topic: l.topics.Markers, To: ends[0].Stable}}, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			var m struct {
				Kind, View        string
				Partition, Offset int64
			}
			must(l.t, json.Unmarshal(b.Value(i), &m))
			name, _, _ := strings.Cut(m.View, "@")
			list = append(list, fmt.Sprintf("%s %s %d@%d", m.Kind, name, m.Partition, m.Offset))
		}
		return nil
	}))
	return list
}

// A view that is reset counts from now on; the others count on. The reset is
// interrupted at each place.
func TestReset(t *testing.T) {
	for _, step := range []task.Step{"", task.Moving, task.Produced, task.OffsetsSent, task.Committed} {
		t.Run("interrupted at "+string(step), func(t *testing.T) {
			l := newLab(t)
			l.session = 2 * time.Second
			l.fill(1, 300, false)
			l.process()
			from := append([]int64(nil), l.ends...)
			l.ask(changed)
			if step != "" {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := l.config("slot-0")
				c.Probe = func(s task.Step, partition int32) error {
					if s == step && partition == 2 {
						cancel()
						return ctx.Err()
					}
					return nil
				}
				if err := task.Reset(ctx, c, []string{"hourly", "visits"}); err == nil {
					t.Fatal("it was not interrupted")
				}
				if err := l.start(l.config("slot-0")).wait(); err == nil || !strings.Contains(err.Error(), `view "hourly" has another definition`) {
					t.Errorf("after an interrupted reset the processor ends with: %v", err)
				}
			}
			must(t, task.Reset(l.within(), l.config("slot-0"), []string{"hourly", "visits"}))
			l.fill(2, 300, true)
			l.process()
			l.sinceOffsets(from)
			if m := l.markers(); len(m) != 2*partitions || m[0] != fmt.Sprintf("view-reset hourly 0@%d", from[0]) {
				t.Errorf("markers: %q", m)
			}
		})
	}
}

// sinceOffsets verifies after a reset of all views but sliding. The two fills lie
// so far apart that no window holds events of both.
func (l *lab) sinceOffsets(from []int64) {
	l.t.Helper()
	want := oracle.Stream(l.views, l.log).Rows
	second := int64(2000) * 60_000_000
	for cell := range want {
		if !strings.HasPrefix(cell.View, "sliding@") && cell.Span.End < second {
			delete(want, cell)
		}
	}
	got := map[result.Cell]result.Agg{}
	l.read(l.topics.Results, func(_ int64, value []byte) {
		var r result.Result
		must(l.t, r.Decode(value))
		if r.Stage == result.Final && !l.foreign(r.View) {
			got[r.Cell()] = r.Agg
		}
	})
	for cell, agg := range want {
		if got[cell] != agg {
			l.t.Errorf("%v: %+v, want %+v", cell, got[cell], agg)
		}
	}
	if len(got) != len(want) || len(want) < 50 {
		l.t.Errorf("%d rows, want %d", len(got), len(want))
	}
}

// A view that is rebuilt has the rows that it would have had from the start. The
// rebuild makes more transactions than the processor did; still, what follows on
// its rows must be told from them as later.
func TestRebuild(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second
	l.fill(1, 400, false)
	c := l.config("slot-0")
	c.CommitRecords, c.CommitInterval = 1<<20, time.Second
	r := l.start(c)
	l.await("the end", l.drained(r), r)
	r.stop()
	from := append([]int64(nil), l.ends...)
	l.ask(changed)
	must(t, task.Rebuild(l.within(), l.config(""), []string{"hourly", "visits"}, nil))
	l.fill(2, 20, true)
	c = l.config("slot-0")
	c.CommitRecords, c.CommitInterval = 1<<20, time.Second
	r = l.start(c)
	l.await("the end", l.drained(r), r)
	r.stop()
	l.verify()
	if m := l.markers(); len(m) != 2*partitions || !strings.HasPrefix(m[0], "view-rebuilt hourly 0@") {
		t.Errorf("markers: %q", m)
	}
	begun := l.allMarkers()[:2*partitions] // before all others
	for i, m := range begun {
		if want := fmt.Sprintf("view-rebuilding %s %d@%d", []string{"hourly", "visits"}[i%2], i/2, from[i/2]); m != want {
			t.Errorf("marker %d: %s, want %s", i, m, want)
		}
	}
	if _, err := l.admin().Topic(t.Context(), l.topics.Changelog+".rebuild"); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("the rebuild's changelog is left: %v", err)
	}
}

// The same beside a running processor, which stops when it is switched over.
func TestRebuildBesideARunningProcessor(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second
	l.fill(1, 400, false)
	old := l.start(l.config("slot-0"))
	l.await("some transactions", func() bool { return old.total(transactions) >= 4 }, old)
	l.ask(changed)
	c := l.config("")
	kept := atomic.Bool{}
	c.Probe = func(s task.Step, partition int32) error {
		// The first time, the processor has the leisure to take its id back.
		if s == task.Moving && partition == 3 && kept.CompareAndSwap(false, true) {
			before := old.total(recreated)
			for end := time.Now().Add(patience); old.total(recreated) == before && old.total(owned) > 0 && time.Now().Before(end); {
				l.fill(uint64(3), 10, false)
				time.Sleep(50 * time.Millisecond)
			}
		}
		return nil
	}
	rebuilt := make(chan error, 1)
	go func() { rebuilt <- task.Rebuild(l.within(), c, []string{"hourly", "visits"}, nil) }()
	l.fill(2, 400, false)
	must(t, <-rebuilt)
	err := old.wait()
	if stop := (*task.Stop)(nil); !errors.As(err, &stop) || !strings.Contains(err.Error(), "was switched to other views") {
		t.Errorf("the processor ended with: %v", err)
	}
	l.fill(4, 100, true)
	l.process()
	l.verify()
}

// Whatever is interrupted, running it again ends well.
func TestRebuildIsInterrupted(t *testing.T) {
	places := map[string]struct {
		step      task.Step
		partition int32
		changing  bool // only after the first id was taken
	}{
		"while it follows":                 {task.OffsetsSent, 1, false},
		"in the middle of a switch":        {task.OffsetsSent, 2, true},
		"between two partitions":           {task.Committed, 2, true},
		"when all partitions are switched": {task.Committed, 3, true},
	}
	for name, at := range places {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.session = 2 * time.Second
			l.fill(1, 400, false)
			l.process()
			l.ask(changed)
			c := l.config("")
			c.RestoreStall = time.Second // so that the group gives the frozen one up soon
			frozen, thaw := make(chan struct{}), make(chan struct{})
			var changing, once atomic.Bool
			c.Probe = func(s task.Step, partition int32) error {
				if s == task.Moving {
					changing.Store(true)
				}
				if s == at.step && partition == at.partition && changing.Load() == at.changing && once.CompareAndSwap(false, true) {
					close(frozen)
					<-thaw
				}
				return nil
			}
			first := make(chan error, 1)
			go func() { first <- task.Rebuild(l.within(), c, []string{"hourly", "visits"}, nil) }()
			select {
			case <-frozen: // for good: a kill
			case err := <-first:
				t.Fatalf("it was not interrupted: %v", err)
			}
			l.fill(2, 100, false)
			err := task.Rebuild(l.within(), l.config(""), []string{"hourly", "visits"}, nil)
			var refused *task.Refusal
			if at.step == task.Committed && at.partition == 3 {
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), "answers it already") {
					t.Errorf("with nothing left to do it ends with: %v", err)
				}
			} else {
				must(t, err)
			}
			l.fill(3, 100, true)
			l.process()
			l.verify()
			close(thaw)
			// It may find that all is done, and that is all it may do.
			t.Logf("the frozen one ended with: %v", <-first)
			l.verify()
		})
	}
}

func TestChangeRefuses(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second
	l.fill(1, 100, false)
	r := l.start(l.config("slot-0"))
	l.await("the end", l.drained(r), r)
	l.ask(changed)
	reset := func(names ...string) error { return task.Reset(l.within(), l.config(""), names) }
	rebuild := func(names ...string) error { return task.Rebuild(l.within(), l.config(""), names, nil) }
	check := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v; want %s", err, want)
		}
	}
	check(reset("hourly", "visits"), "a processor of it is running; stop all of them")
	r.stop()
	check(rebuild("hourly"), `view "visits" differs from the state too`)
	check(rebuild("hourly", "visits", "dayly"), `cannot change view "dayly": there is none of this name; there are "hourly", "sliding", "visits"`)
	check(rebuild("sliding"), `cannot change view "sliding": the state answers it already`)
	must(t, reset("hourly", "visits"))
	check(reset("hourly", "visits"), `cannot change view "hourly": the state answers it already`)
	check(rebuild("visits"), `cannot change view "visits": the state answers it already`)
	l.ask(changed[:strings.Index(changed, "  - {name: visits")])
	check(rebuild("visits"), "`parallax processor reset --view visits`")
	must(t, reset("visits"))
	l.fill(2, 100, true)
	l.process()
	l.ask(strings.Replace(changed, "count: 3", "count: 2", 1))
	check(reset("hourly"), "the rules of time")
	if m := l.markers(); len(m) != 3*partitions || !strings.HasPrefix(m[len(m)-1], "view-dropped visits 3@") {
		t.Errorf("markers: %q", m)
	}
}
