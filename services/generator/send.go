package generator

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
)

const (
	// maxGroup intents at most are synced together …
	maxGroup = 4096
	// … and a group begins at least this long after the one before, unless that
	// was full: the wait is part of every latency, a sync is not for nothing.
	groupEvery = 4 * time.Millisecond
	// linger is how long the client waits to fill a batch.
	linger = 2 * time.Millisecond
)

// transfer is one call of Run, while it sends.
type transfer struct {
	g        *Generator
	ledger   *ledger.Writer
	producer *kafka.Producer
	topic    string

	pace  pace
	group []ledger.Intent // that is being made or sent
	buf   []byte          // its bytes
	last  ledger.Op       // of the message before

	outstanding atomic.Int64
	settled     chan struct{} // told when outstanding becomes 0, or on a failure
	closing     atomic.Bool   // what the producer drops from now on stays unknown

	mu      sync.Mutex
	failure error // the first
}

// send produces the pending intents again, then the rest of the source, and
// waits for the outcomes.
func (g *Generator) send(ctx context.Context, w *ledger.Writer, pending []ledger.Intent) error {
	r := &transfer{g: g, ledger: w, topic: g.config.topic(), settled: make(chan struct{}, 1)}
	var err error
	r.producer, err = kafka.NewProducer(g.kafka(), kafka.ProducerConfig{Linger: linger, OnDelivery: r.delivered})
	if err != nil {
		return err
	}
	if err = r.again(ctx, pending); err == nil {
		err = r.all(ctx)
	}
	if err == nil {
		err = r.settle(ctx)
	}
	if err == nil {
		err = failpoint.Here("generator/settled")
	}
	if err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		_ = r.wait(last, func() error { return nil }) // what is still out then is unknown, and the ledger says so
		cancel()
	}
	r.closing.Store(true)
	r.producer.Close()
	return err
}

// again sends what an earlier process left without an acknowledgement: the same
// bytes, with the time at which they were due.
func (r *transfer) again(ctx context.Context, pending []ledger.Intent) error {
	for len(pending) > 0 {
		group := pending[:min(maxGroup, len(pending))]
		pending = pending[len(group):]
		for i := range group {
			r.ledger.Resent(group[i].N)
		}
		if err := r.produce(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// all sends the source from the ledger's next number on, in groups of what is
// due. The first message goes alone, and the schedule of the others begins when
// it is acknowledged: connecting takes half a second, once, and would otherwise
// look like latency.
func (r *transfer) all(ctx context.Context) error {
	source, clock := r.g.source, r.g.deps.Clock
	first, total := int(r.ledger.Next()), source.len()
	if first >= total {
		return nil
	}
	now := clock.Now()
	r.pace = pace{start: now, origin: source.due(first), speed: r.g.config.Speed}
	earliest, most := now, 1 // of the next group: its time and its size
	for next := first; next < total; {
		if at := r.pace.at(source.due(next), now); at.After(earliest) {
			earliest = at
		}
		if err := clock.Wait(ctx, earliest); err != nil {
			return err
		}
		now = clock.Now()
		var err error
		if next, err = r.fill(ctx, next, most, now); err != nil {
			return err
		}
		if err := r.produce(ctx, r.group); err != nil {
			return err
		}
		r.g.counts.due.Store(source.due(next - 1))
		earliest = now
		switch {
		case most == 1:
			if err := r.settle(ctx); err != nil {
				return err
			}
			most = maxGroup
			now = clock.Now()
			r.pace.start, earliest = now, now
		case r.pace.speed != 0 && len(r.group) < maxGroup:
			earliest = now.Add(groupEvery)
		}
	}
	return nil
}

// fill makes a group of what is due at now, from message i on, puts it into the
// ledger and returns the message after it.
func (r *transfer) fill(ctx context.Context, i, most int, now time.Time) (next int, err error) {
	source := r.g.source
	r.group, r.buf = r.group[:0], r.buf[:0]
	for ; i < source.len() && len(r.group) < most; i++ {
		due := r.pace.at(source.due(i), now)
		if due.After(now) {
			break
		}
		var m message
		m, r.buf = source.message(i, r.buf)
		if m.op == ledger.Punctuation && r.last != ledger.Punctuation {
			// It says that nothing is still to come, so nothing may be on the
			// way that could yet be lost.
			if len(r.group) > 0 {
				break
			}
			if err := r.settle(ctx); err != nil {
				return i, err
			}
		}
		r.last = m.op
		intent := ledger.Intent{Op: m.op, Partition: m.partition, Scheduled: due.UnixMilli(), Key: m.key, Value: m.value}
		if err := r.ledger.Intent(&intent); err != nil {
			return i, err
		}
		r.group = append(r.group, intent)
	}
	return i, nil
}

// produce syncs the intents, then hands them to the client.
func (r *transfer) produce(ctx context.Context, group []ledger.Intent) error {
	if err := r.failed(); err != nil {
		return err
	}
	if err := failpoint.Here("generator/before-sync"); err != nil {
		return err
	}
	if !failpoint.Mutant("generator/unsynced") {
		if err := r.ledger.Sync(); err != nil {
			return err
		}
	}
	if err := failpoint.Here("generator/synced"); err != nil {
		return err
	}
	for i := range group {
		in := &group[i]
		r.outstanding.Add(1)
		err := r.producer.Produce(ctx, kafka.Record{
			Topic: r.topic, Partition: in.Partition, Timestamp: in.Scheduled, Key: in.Key, Value: in.Value,
		}, in.N)
		if err != nil {
			r.outstanding.Add(-1)
			if ctx.Err() == nil {
				r.fail(in.N, err)
			}
			return err
		}
	}
	r.g.counts.sent.Store(r.ledger.Next())
	return failpoint.Here("generator/sent")
}

// delivered runs on the client's goroutine.
func (r *transfer) delivered(d kafka.Delivery) {
	switch {
	case d.Err == nil:
		r.ledger.OK(d.Number, d.Partition, d.Offset, r.g.deps.Clock.Now().UnixMilli())
		r.g.counts.ok.Add(1)
	case !r.closing.Load():
		r.fail(d.Number, d.Err)
	}
	if r.outstanding.Add(-1) == 0 {
		r.wake()
	}
}

func (r *transfer) wake() {
	select {
	case r.settled <- struct{}{}:
	default:
	}
}

func (r *transfer) fail(n uint64, err error) {
	r.ledger.Failed(n, err.Error())
	r.g.counts.failed.Add(1)
	r.mu.Lock()
	if r.failure == nil {
		r.failure = fmt.Errorf("cannot deliver message %d: %w; start again with the same ledger to send it again", n, err)
	}
	r.mu.Unlock()
	r.wake()
}

func (r *transfer) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// settle waits until every message is acknowledged, or for the first failure.
func (r *transfer) settle(ctx context.Context) error { return r.wait(ctx, r.failed) }

// wait waits until every message has its outcome, or until broken gives an error.
func (r *transfer) wait(ctx context.Context, broken func() error) error {
	for r.outstanding.Load() > 0 {
		if err := broken(); err != nil {
			return err
		}
		select {
		case <-r.settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return broken()
}
