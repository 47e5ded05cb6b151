package task_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"parallax.example/internal/result"
	"parallax.example/services/processor/task"
)

// inOrder verifies that of a view's rows those which were written later have the
// later places, whoever wrote them, and returns how many there are.
func (l *lab) inOrder(name string) (rows int) {
	l.t.Helper()
	last := map[int32]result.Place{}
	l.read(l.topics.Results, func(_ int64, value []byte) {
		var r result.Result
		must(l.t, r.Decode(value))
		if l.foreign(r.View) || !strings.HasPrefix(string(r.View), name+"@") {
			return
		}
		rows++
		before := last[r.Place.Partition]
		if r.Place.Transaction < before.Transaction || r.Place.Transaction == before.Transaction && r.Place.Ordinal <= before.Ordinal {
			l.t.Fatalf("%v: a row of %+v follows one of %+v", r.Cell(), r.Place, before)
		}
		last[r.Place.Partition] = r.Place
	})
	return rows
}

// unfinished is a rebuild that is interrupted when it has come to the end of one
// partition, in more transactions than the processor made.
func (l *lab) unfinished(names ...string) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	defer cancel()
	c := l.config("")
	c.CommitRecords = 10
	n := map[int32]int{}
	c.Probe = func(s task.Step, p int32) error {
		if s == task.Begun {
			if n[p]++; n[p] == int(l.ends[p])/10 {
				cancel()
			}
		}
		return ctx.Err()
	}
	if err := task.Rebuild(ctx, c, names, nil); err == nil {
		l.t.Fatal("it was not interrupted")
	}
}

// A view that comes back, or whose rebuild was begun before, has rows in the
// results. Each time the numbers of transactions began with 1 again, so that the
// new rows looked older than those.
func TestRebuildAgain(t *testing.T) {
	hourly, _, _ := strings.Cut(changed, "  - {name: visits")
	for name, again := range map[string]func(l *lab){
		"the first definition": func(l *lab) {
			l.ask(hourly)
			must(t, task.Rebuild(l.within(), l.config(""), []string{"hourly"}, nil))
			l.ask(views)
			must(t, task.Rebuild(l.within(), l.config(""), []string{"hourly"}, nil))
		},
		"more views than an unfinished one": func(l *lab) {
			l.ask(hourly)
			l.unfinished("hourly")
			l.ask(changed)
			must(t, task.Rebuild(l.within(), l.config(""), []string{"hourly", "visits"}, nil))
		},
		"an unfinished one, whose views were put back": func(l *lab) {
			l.ask(hourly)
			l.unfinished("hourly")
			l.ask(views)
			var refused *task.Refusal // with nothing left to do, and the rebuild's changelog is gone
			if err := task.Rebuild(l.within(), l.config(""), []string{"hourly"}, nil); !errors.As(err, &refused) {
				t.Fatal(err)
			}
			l.ask(hourly)
			must(t, task.Rebuild(l.within(), l.config(""), []string{"hourly"}, nil))
		},
		"one that was killed when it had dropped an unfinished one": func(l *lab) {
			l.ask(hourly)
			l.unfinished("hourly")
			must(t, l.admin().DeleteTopic(t.Context(), l.topics.Changelog+".rebuild"))
			must(t, task.Reset(l.within(), l.config("slot-0"), []string{"hourly"}))
		},
		"a reset after an unfinished one": func(l *lab) {
			l.ask(hourly)
			l.unfinished("hourly")
			must(t, task.Reset(l.within(), l.config("slot-0"), []string{"hourly"}))
			if _, err := l.admin().Topic(t.Context(), l.topics.Changelog+".rebuild"); err == nil {
				t.Error("the rebuild's changelog is left")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.session = 2 * time.Second
			l.fill(1, 400, false)
			l.process()
			again(l)
			before := l.inOrder("hourly")
			l.fill(2, 20, true)
			l.process()
			if rows := l.inOrder("hourly"); before < 50 || rows <= before {
				t.Errorf("%d rows of %d were there before", before, rows)
			}
		})
	}
}

// A processor that is fenced again and again lets the id go for longer each time:
// it took it back after two heartbeats, and a state that takes longer to load
// could never be switched.
func TestRebuildOfALargeStateBesideARunningProcessor(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second // two heartbeats are 0.4 s
	l.fill(1, 100, false)
	old := l.start(l.config("slot-0"))
	l.await("the end", l.drained(old), old)
	l.ask(changed)
	c := l.config("")
	loads := 0
	c.Probe = func(s task.Step, _ int32) error {
		if s == task.Moving {
			loads++
			time.Sleep(1500 * time.Millisecond) // not a wait: this is the load
		}
		return nil
	}
	rebuilt := make(chan error, 1)
	go func() { rebuilt <- task.Rebuild(l.within(), c, []string{"hourly", "visits"}, nil) }()
	for seed := uint64(2); ; seed++ { // else the processor never notices that it is fenced
		l.fill(seed, 5, false)
		select {
		case err := <-rebuilt:
			must(t, err)
			if loads <= partitions {
				t.Error("the processor never took its id back")
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
