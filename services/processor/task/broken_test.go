package task_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"parallax.example/internal/kafka"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/services/processor/engine"
	"parallax.example/services/processor/task"
)

// hooked is a cluster whose calls can be looked at, and made to fail. A nil hook
// does nothing.
type hooked struct {
	task.Cluster
	sending   func(*kafka.Records) error // before a list is sent
	flushed   func(partition int32)      // when a sender has nothing on its way
	committed func(partition int32)      // when an offset is committed by itself
	lost      func() bool                // what the consumer says of its assignment
}

type hookedSender struct {
	task.Sender
	on        *hooked
	partition int32 // that it sent to
}

type hookedConsumer struct {
	task.Consumer
	on *hooked
}

func (h *hooked) Sender(c kafka.SenderConfig) (task.Sender, error) {
	s, err := h.Cluster.Sender(c)
	return &hookedSender{Sender: s, on: h}, err
}

func (h *hooked) Consumer(c kafka.GroupConfig) (task.Consumer, error) {
	m, err := h.Cluster.Consumer(c)
	return hookedConsumer{m, h}, err
}

func (s *hookedSender) ProduceAll(r *kafka.Records) error {
	s.partition = r.Partition
	if s.on.sending != nil {
		if err := s.on.sending(r); err != nil {
			return err
		}
	}
	return s.Sender.ProduceAll(r)
}

func (s *hookedSender) Flush() error {
	err := s.Sender.Flush()
	if err == nil && s.on.flushed != nil {
		s.on.flushed(s.partition)
	}
	return err
}

func (c hookedConsumer) Commit(positions []kafka.Committed, timeout time.Duration) error {
	err := c.Consumer.Commit(positions, timeout)
	if err == nil && c.on.committed != nil {
		c.on.committed(positions[0].Partition)
	}
	return err
}

func (c hookedConsumer) Lost() bool { return c.Consumer.Lost() || c.on.lost != nil && c.on.lost() }

// verifyRows compares the final rows with the oracle's answer; they may be told
// more than once, but not differently.
func (l *lab) verifyRows() {
	l.t.Helper()
	want := oracle.Stream(l.views, l.log).Rows
	rows := map[result.Cell]result.Agg{}
	l.read(l.topics.Results, func(_ int64, value []byte) {
		var r result.Result
		must(l.t, r.Decode(value))
		if r.Stage != result.Final {
			return
		}
		if d := gocmp.Diff(want[r.Cell()], r.Agg); d != "" {
			l.t.Errorf("%v (-oracle +processor):\n%s", r.Cell(), d)
		}
		rows[r.Cell()] = r.Agg
	})
	if len(rows) != len(want) || len(want) == 0 {
		l.t.Errorf("%d cells have final rows, want %d", len(rows), len(want))
	}
}

// A batch that ended the loop was handed over when the partitions went: the
// engine then ended its output twice, or rows that could not be sent were passed
// over, and the offset behind them committed.
func TestTooLargeIsNotPassedOver(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		if g == task.ExactlyOnce {
			return // its producer is not a sender
		}
		for name, topic := range map[string]engine.Topic{"rows": engine.Results, "state": engine.Changelog} {
			t.Run(name, func(t *testing.T) {
				l := newLab(t)
				l.fill(1, 400, true)
				c := l.config("slot-0")
				c.Guarantee = g
				var lists atomic.Int32
				c.Kafka = &hooked{Cluster: c.Kafka, sending: func(r *kafka.Records) error {
					for _, e := range r.Entries {
						if len(r.Topics) > 1 && e.Topic == int32(topic) && lists.Add(1) > 100 {
							return &kafka.TooLargeError{Topic: r.Topics[topic], Size: 2_000_000, Limit: 1_000_000}
						}
					}
					return nil
				}}
				var stop *task.Stop
				if err := l.start(c).wait(); !errors.As(err, &stop) || !strings.Contains(stop.Reason, "one of 2000000 bytes") {
					t.Fatalf("ended with: %v", err)
				}
				if g == task.AtMostOnce {
					return // its offset is committed first
				}
				again := l.config("slot-0")
				again.Guarantee = g
				r := l.start(again)
				l.await("the end", l.drained(r), r)
				r.stop()
				if topic == engine.Results {
					l.verifyRows() // no state was written, so that nothing counts twice
				}
			})
		}
	})
}

// Who is not the owner any more sees offset and state of two moments of the next
// one's: that was told as input taken in again or lost. Now it waits.
func TestNotTheOwnerWaits(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		if g == task.ExactlyOnce {
			return // it tells nothing
		}
		l := newLab(t)
		l.session = 2 * time.Second
		l.steady(400, false)
		c := l.config("slot-0")
		c.Guarantee = g
		var lost atomic.Bool
		var asked, hits atomic.Int32
		c.Kafka = &hooked{Cluster: c.Kafka, lost: func() bool {
			if lost.Load() {
				asked.Add(1)
			}
			return lost.Load()
		}}
		c.Probe = func(s task.Step, p int32) error {
			if s == task.OffsetsSent && p == 1 && hits.Add(1) == 2 {
				lost.Store(true)
				return errors.New("no answer")
			}
			return nil
		}
		r := l.start(c)
		l.await("the wait", func() bool { return asked.Load() >= 3*partitions }, r)
		if list := l.resumptions(); len(list) > 0 || r.total(recreated) > 0 {
			t.Errorf("it goes on, and tells: %v", list)
		}
		lost.Store(false)
		l.await("the end", l.drained(r), r)
		r.stop()
		l.verifyCounts(g, partitions*400, false)
	})
}

// A state is not written over that of the next owner, as far as is known.
func TestNotTheOwnerKeepsItsState(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		if g == task.ExactlyOnce {
			return // the coordinator sees to it
		}
		l := newLab(t)
		l.session = 2 * time.Second
		l.steady(400, false)
		c := l.config("slot-0")
		c.Guarantee = g
		var lost atomic.Bool
		var waited, times, states atomic.Int32
		lose := func(p int32) {
			if p == 1 && times.Add(1) == 3 {
				lost.Store(true)
			}
		}
		h := &hooked{Cluster: c.Kafka, lost: func() bool {
			if lost.Load() {
				waited.Add(1)
			}
			return lost.Load()
		}, sending: func(r *kafka.Records) error {
			if lost.Load() && r.Partition == 1 && len(r.Topics) > 1 && r.Len() > 0 && r.Entries[0].Topic == int32(engine.Changelog) {
				states.Add(1)
			}
			return nil
		}}
		if h.flushed = lose; g == task.AtMostOnce {
			h.flushed, h.committed = nil, lose
		}
		c.Kafka = h
		r := l.start(c)
		l.await("the wait", func() bool { return waited.Load() >= 3*partitions }, r)
		if states.Load() > 0 {
			t.Error("the state was sent")
		}
		lost.Store(false)
		l.await("the end", l.drained(r), r)
		r.stop()
		switch events, _ := l.counted(); {
		case g == task.AtMostOnce:
			l.verifyCounts(g, partitions*400, false)
		case events != partitions*400:
			t.Errorf("%d events are counted", events)
		}
	})
}
