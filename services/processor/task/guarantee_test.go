package task_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/services/processor/task"
)

// span is a range of a partition's offsets.
type span struct {
	Kind          string
	Partition     int32
	Offset, Until int64
}

// steady sends n events of one hour to each partition, with ids or without, and
// what closes the hour.
func (l *lab) steady(n int, ids bool) {
	l.t.Helper()
	p, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{})
	must(l.t, err)
	defer p.Close()
	for part := range int32(partitions) {
		for i := range n + 1 {
			value := event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark})
			if i < n {
				value = event.AppendProto(nil, &event.Event{
					Producer: fmt.Appendf(nil, "p%d", part)[:2*btoi(ids)], Seq: uint64(i * btoi(ids)), HasID: ids,
					Key: fmt.Appendf(nil, "k%d", i%7), Value: int64(i), Time: int64(i) * 1_000_000 * 3600 / int64(n),
				})
			}
			must(l.t, p.Produce(l.t.Context(), kafka.Record{Topic: l.topics.Events, Partition: part, Value: value}, 0))
			l.log = append(l.log, oracle.Record{Partition: part, Offset: l.ends[part], Value: value})
			l.ends[part]++
		}
	}
	must(l.t, p.Flush(l.t.Context()))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// resumptions are the markers that tell of input that was taken in again or left out.
func (l *lab) resumptions() (list []span) {
	ends, err := l.admin().Offsets(l.t.Context(), l.topics.Markers, []int32{0})
	must(l.t, err)
	must(l.t, kafka.ReadTo(l.t.Context(), l.kafka, kafka.ReaderConfig{}, []kafka.Range{{Topic: l.topics.Markers, To: ends[0].High}}, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			var s span
			must(l.t, json.Unmarshal(b.Value(i), &s))
			if s.Until > s.Offset {
				list = append(list, s)
			}
		}
		return nil
	}))
	return list
}

// counted is what the last final rows of the hour count, over all keys, and how
// many exclusions there are.
func (l *lab) counted() (events, excluded uint64) {
	rows := map[result.Cell]uint64{}
	l.read(l.topics.Results, func(_ int64, value []byte) {
		var r result.Result
		must(l.t, r.Decode(value))
		if r.Stage == result.Final && strings.HasPrefix(string(r.View), "hourly@") {
			rows[r.Cell()] = r.Agg.Count
		}
	})
	for _, n := range rows {
		events += n
	}
	l.read(l.topics.Excluded, func(int64, []byte) { excluded++ })
	return events, excluded
}

// each is every guarantee with a name for a subtest.
func each(t *testing.T, test func(t *testing.T, g task.Guarantee)) {
	for _, g := range []task.Guarantee{task.ExactlyOnce, task.AtLeastOnce, task.AtMostOnce} {
		t.Run(g.String(), func(t *testing.T) { test(t, g) })
	}
}

// verifyCounts holds what was counted against the events, those of the ranges
// taken again, and those of the ranges left out.
func (l *lab) verifyCounts(g task.Guarantee, sent uint64, ids bool) {
	l.t.Helper()
	var again, skipped uint64
	for _, s := range l.resumptions() {
		events := uint64(min(s.Until, int64(sent/partitions)) - s.Offset) // behind them is what closes the hour
		switch s.Kind {
		case "taken-again":
			again += events
		case "skipped":
			skipped += events
		}
	}
	events, excluded := l.counted()
	l.t.Logf("%s: %d events sent, %d counted, %d left out; markers tell of %d taken in again and %d left out", g, sent, events, excluded, again, skipped)
	want, duplicates := sent, uint64(0)
	switch {
	case g == task.AtLeastOnce && ids:
		duplicates = again
	case g == task.AtLeastOnce:
		want += again
	case g == task.AtMostOnce:
		want -= skipped
	}
	if events != want || excluded != duplicates {
		l.t.Errorf("%d events are counted and %d left out, want %d and %d", events, excluded, want, duplicates)
	}
	if (again > 0) != (g == task.AtLeastOnce) || (skipped > 0) != (g == task.AtMostOnce) {
		l.t.Errorf("under %s, %d were taken in again and %d left out", g, again, skipped)
	}
}

// A failure between output and offset, whichever comes first: exactly once shows
// nothing, at least once counts twice what has no id, at most once loses.
func TestGuarantees(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		for _, ids := range []bool{false, true} {
			t.Run(fmt.Sprint("ids=", ids), func(t *testing.T) {
				l := newLab(t)
				l.steady(400, ids)
				c := l.config("slot-0")
				c.Guarantee = g
				var mu sync.Mutex
				hits := map[int32]int{}
				c.Probe = func(s task.Step, p int32) error {
					mu.Lock()
					defer mu.Unlock()
					if s == task.OffsetsSent {
						if hits[p]++; hits[p] == 2 {
							return errors.New("no answer")
						}
					}
					return nil
				}
				r := l.start(c)
				l.await("the end", l.drained(r), r)
				r.stop()
				l.verifyCounts(g, partitions*400, ids)
			})
		}
	})
}

// The same with a death: whoever comes next takes over what is in Kafka, and the
// dead one, should it only have slept, commits nothing more.
func TestGuaranteesAfterADeath(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		l := newLab(t)
		l.steady(400, false)
		dead, c := l.config("slot-0"), l.config("slot-0")
		dead.Guarantee, c.Guarantee = g, g
		frozen, thaw := make(chan struct{}), make(chan struct{})
		var once sync.Once
		var hits sync.Map
		dead.Probe = func(s task.Step, p int32) error {
			if s == task.OffsetsSent && p == 1 {
				n, _ := hits.LoadOrStore(p, new(int))
				if *n.(*int)++; *n.(*int) == 2 {
					once.Do(func() { close(frozen) })
					<-thaw
				}
			}
			return nil
		}
		zombie := l.start(dead)
		<-frozen
		heir := l.start(c)
		l.await("the end", l.drained(heir), heir)
		l.verifyCounts(g, partitions*400, false)
		close(thaw)
		if err := zombie.wait(); err == nil {
			t.Error("the zombie ended without an error")
		} else {
			t.Logf("the zombie's end: %v", err)
		}
		heir.stop()
		l.verifyCommitted()
		if g != task.AtMostOnce { // nothing keeps its batch from coming late
			l.verifyCounts(g, partitions*400, false)
		}
	})
}

// verifyCommitted holds the group's offsets against the whole input.
func (l *lab) verifyCommitted() {
	l.t.Helper()
	list, err := l.admin().Committed(l.t.Context(), "test-processor", l.topics.Events, []int32{0, 1, 2, 3})
	must(l.t, err)
	for i, c := range list {
		if c.Offset != l.ends[i] {
			l.t.Errorf("partition %d is committed up to %d of %d", i, c.Offset, l.ends[i])
		}
	}
}

// Without a fault all of them answer the same, over restarts and rebalances.
func TestWeakerGuaranteesWithoutFaults(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		if g == task.ExactlyOnce {
			return // see TestTwoInstancesShare
		}
		l := newLab(t)
		config := func(slot string) task.Config {
			c := l.config(slot)
			c.Guarantee = g
			return c
		}
		l.fill(1, 600, false)
		r := l.start(config("slot-0"))
		l.await("some transactions", func() bool { return r.total(transactions) >= 6 }, r)
		r.stop()
		if list := l.markers(); len(list) > 0 {
			t.Errorf("whoever is the first tells: %v", list)
		}
		first := l.start(config("slot-0"))
		l.await("first transactions", func() bool { return first.total(transactions) >= 2 }, first)
		second := l.start(config("slot-1"))
		l.await("two partitions each", func() bool { return first.total(owned) == 2 && second.total(owned) == 2 }, first, second)
		l.fill(2, 600, true)
		l.await("the end", l.drained(first, second), first, second)
		first.stop()
		second.stop()
		l.verify()
		if list := l.resumptions(); len(list) > 0 {
			t.Errorf("without a fault: %v", list)
		}
	})
}

// A state goes on under the guarantee that it was made with, and under no other.
func TestGuaranteesDoNotMix(t *testing.T) {
	all := []task.Guarantee{task.ExactlyOnce, task.AtLeastOnce, task.AtMostOnce}
	for _, made := range all {
		t.Run(made.String(), func(t *testing.T) {
			l := newLab(t)
			l.fill(1, 100, false)
			c := l.config("slot-0")
			c.Guarantee = made
			r := l.start(c)
			l.await("the end", l.drained(r), r)
			r.stop()
			for _, other := range all {
				c := l.config("slot-0")
				c.Guarantee = other
				r := l.start(c)
				if other == made {
					l.await("owning", func() bool { return r.total(owned) == partitions }, r)
					r.stop()
					continue
				}
				err := r.wait()
				var stop *task.Stop
				want := fmt.Sprintf("its state was made with --guarantee %s, and goes on under no other; go on with --guarantee %s, or choose", made, made)
				if !errors.As(err, &stop) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s after %s ended with: %v", other, made, err)
				}
			}
			if made == task.ExactlyOnce {
				return
			}
			c = l.config("slot-0")
			c.Views = l.parse(strings.Replace(views, "10m", "20m", 1))
			for what, err := range map[string]error{
				"reset":   task.Reset(t.Context(), c, []string{"hourly"}),
				"rebuild": task.Rebuild(t.Context(), c, []string{"hourly"}, nil),
			} {
				if err == nil || !strings.Contains(err.Error(), "its state was made with --guarantee "+made.String()) {
					t.Errorf("%s after %s: %v", what, made, err)
				}
			}
		})
	}
}

// Whoever dies in the very first batch has told rows, and left neither an offset
// nor a state: exactly once would have begun behind them.
func TestGuaranteesDoNotMixAfterAFirstDeath(t *testing.T) {
	each(t, func(t *testing.T, made task.Guarantee) {
		if made == task.ExactlyOnce {
			return
		}
		l := newLab(t)
		l.fill(1, 400, true)
		c := l.config("slot-0")
		c.Guarantee = made
		c.Probe = func(s task.Step, _ int32) error {
			if s == task.Produced {
				return &kafka.TooLargeError{} // as good as a death: nothing is done with the batch
			}
			return nil
		}
		if err := l.start(c).wait(); err == nil {
			t.Fatal("it lives")
		}
		for _, other := range []task.Guarantee{task.ExactlyOnce, task.AtLeastOnce, task.AtMostOnce} {
			if other == made {
				continue
			}
			c := l.config("slot-0")
			c.Guarantee = other
			var stop *task.Stop
			if err := l.start(c).wait(); !errors.As(err, &stop) || !strings.Contains(err.Error(), "its state was made with --guarantee "+made.String()) {
				t.Errorf("%s after %s ended with: %v", other, made, err)
			}
		}
		c = l.config("slot-0")
		c.Guarantee = made
		r := l.start(c)
		l.await("the end", l.drained(r), r)
		r.stop()
		l.verifyRows()
	})
}

// What can only come of something else than a death is refused by them too.
func TestWeakerGuaranteesRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		guarantee task.Guarantee
		change    func(l *lab, c *task.Config)
		want      string
	}{
		"offsets are gone": {task.AtLeastOnce, func(_ *lab, c *task.Config) { c.Group = "another" }, `group "another" has committed transaction 0`},
		"changelog is another": {task.AtLeastOnce, func(l *lab, c *task.Config) {
			must(l.t, l.admin().EnsureTopics(l.t.Context(), []kafka.TopicSpec{{Name: "other", Partitions: partitions, Replication: 1}}))
			c.Topics.Changelog = "other"
		}, `the changelog "other" has come to offset 0 in transaction 0`},
		"view changed": {task.AtMostOnce, func(l *lab, c *task.Config) { c.Views = l.parse(strings.Replace(views, "10m", "20m", 1)) },
			`view "hourly" has another definition than in the state`},
		"topic made again": {task.AtMostOnce, func(l *lab, _ *task.Config) {
			must(l.t, l.admin().DeleteTopic(l.t.Context(), l.topics.Events))
			must(l.t, l.admin().EnsureTopics(l.t.Context(), l.topics.Specs(partitions, 1)))
		}, "was deleted and made again"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.fill(1, 300, false)
			config := l.config("slot-0")
			config.Guarantee = c.guarantee
			r := l.start(config)
			l.await("the end", l.drained(r), r)
			r.stop()
			config.Counters = &task.Counters{}
			c.change(l, &config)
			err := l.start(config).wait()
			var stop *task.Stop
			if !errors.As(err, &stop) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("ended with: %v", err)
			}
		})
	}
}

// Whichever step fails, again and again, at least once loses nothing, and counts
// nothing twice that has an id.
func TestAtLeastOnceLosesNothing(t *testing.T) {
	for _, step := range []task.Step{task.Begun, task.FirstProduced, task.Produced, task.OffsetsSent, task.Committed} {
		t.Run(string(step), func(t *testing.T) {
			l := newLab(t)
			l.steady(400, true)
			c := l.config("slot-0")
			c.Guarantee = task.AtLeastOnce
			var hits atomic.Int32
			c.Probe = func(s task.Step, _ int32) error {
				if s == step && hits.Add(1)%4 == 0 {
					return errors.New("no answer")
				}
				return nil
			}
			r := l.start(c)
			l.await("the end", l.drained(r), r)
			r.stop()
			if events, _ := l.counted(); events != partitions*400 {
				t.Errorf("%d events are counted", events)
			}
			if r.total(recreated) == 0 {
				t.Error("nothing failed")
			}
		})
	}
}
