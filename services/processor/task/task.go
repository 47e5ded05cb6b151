package task

import (
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// task is one owned partition.
type task struct {
	loop      *Loop
	partition int32
	producer  Producer
	engine    *engine.Engine
	out       engine.Output
	records   kafka.Records // out, as the producer takes it

	committed position // what is certain
	attempt   position // what the open transaction would make of it
	offered   bool     // the coordinator may have it: attempt's offset was sent

	parked  bool // records at its bound or above it were dropped
	open    bool
	flying  bool         // its commit is in flight
	outcome chan outcome // of the commit in flight
	began   time.Time
	taken   int           // input records in the open transaction
	answers bool          // it holds rows that will not change
	unsent  error         // of records that it lacks
	broken  bool          // it failed, so it must not be committed
	failing time.Time     // of the first failure in a row; zero if the last commit succeeded
	fenced  time.Time     // when another producer was found to have the id; zero if none has
	leave   time.Duration // how long a fenced task lets the other one have it
	retaken time.Time     // when the id was last taken back
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// adopt begins from a restored state.
func (t *task) adopt(s state) {
	t.committed, t.engine = s.committed, s.engine
	t.loop.worked = t.loop.worked || t.committed.transaction > 0
	t.reset()
	t.publish()
}

// reset makes the open transaction's bookkeeping empty.
func (t *task) reset() {
	t.out.Reset()
	t.attempt = position{offset: t.committed.offset}
	t.open, t.offered, t.taken, t.answers, t.unsent, t.broken = false, false, 0, false, nil, false
}

// receive takes a polled batch in.
func (t *task) receive(b *kafka.Batch) error {
	if t.flying {
		panic("BUG: records of a partition that is held")
	}
	if !t.fenced.IsZero() {
		return nil // its end seeks back
	}
	batch := engine.Batch{Offsets: b.Offsets, Timestamps: b.Timestamps, Ends: b.Ends, Data: b.Data}
	if bound, ok := t.loop.bounds[t.partition]; ok {
		batch = t.below(bound, batch)
	}
	if len(batch.Offsets) == 0 {
		return nil
	}
	return t.apply(batch)
}

// advance moves the partition on as time goes: takes in how its commit ended,
// sends off the next one if it is due, and takes its id back from a producer
// that did not become the owner.
func (t *task) advance() error {
	if t.flying && len(t.outcome) > 0 {
		if err := t.land(); err != nil {
			return err
		}
	}
	if t.due(time.Now()) {
		if err := t.offer(); err != nil {
			return err
		}
	}
	if t.fenced.IsZero() || time.Since(t.fenced) <= t.leave {
		return nil
	}
	if t.loop.config.Guarantee != ExactlyOnce {
		return t.regain()
	}
	return t.recreate() // still the owner
}

// hold keeps records away from the task while it can take none.
func (t *task) hold() { t.loop.consumer.Hold(t.partition, t.flying || t.parked) }

// bounded says that the task has come to its bound.
func (t *task) bounded() bool {
	bound, ok := t.loop.bounds[t.partition]
	return ok && t.attempt.offset >= bound
}

// below cuts a batch at the bound. What is cut off is read again when the bound
// moves; what comes after it is not read at all.
func (t *task) below(bound int64, b engine.Batch) engine.Batch {
	n, _ := slices.BinarySearch(b.Offsets, bound)
	t.parked = n < len(b.Offsets)
	t.hold()
	b.Offsets, b.Timestamps, b.Ends = b.Offsets[:n], b.Timestamps[:n], b.Ends[:n]
	return b
}

// apply takes a batch in. Errors of the transaction are dealt with here; the
// one that is returned ends the loop.
func (t *task) apply(b engine.Batch) error {
	if b.Offsets[0] < t.attempt.offset {
		return fmt.Errorf("cannot process partition %d: the client delivered offset %d again, %d was expected", t.partition, b.Offsets[0], t.attempt.offset)
	}
	if err := t.begin(); err != nil {
		return t.failed(err)
	}
	if err := t.engine.Apply(&b, &t.out); err != nil {
		return t.limited(err)
	}
	t.attempt.offset = t.engine.Next()
	t.taken += len(b.Offsets)
	if err := t.send(); err != nil {
		return t.failed(err)
	}
	return nil
}

func (t *task) begin() error {
	if t.open {
		return nil
	}
	t.open, t.began = true, time.Now()
	if err := t.loop.probe(BeforeBegin, t.partition); err != nil {
		return err
	}
	if err := t.producer.Begin(); err != nil {
		return err
	}
	return t.loop.probe(Begun, t.partition)
}

// send hands the engine's output to the producer.
func (t *task) send() error {
	if t.unsent != nil {
		return t.unsent
	}
	r := &t.records
	r.Data, r.Entries = t.out.Data(), r.Entries[:0]
	for i := range t.out.Len() {
		topic, keyEnd, end, keyless, tombstone := t.out.Layout(i)
		r.Entries = append(r.Entries, kafka.Entry{KeyEnd: keyEnd, ValueEnd: end, Topic: int32(topic), Keyless: keyless, Tombstone: tombstone})
	}
	first := t.attempt.records == 0 && r.Len() > 0
	t.attempt.records += uint32(r.Len())
	t.attempt.digest = crc32.Update(t.attempt.digest, castagnoli, r.Data)
	t.answers = t.answers || t.out.Answers() > 0
	err := t.producer.ProduceAll(r)
	t.out.Reset()
	if failpoint.Mutant("processor/produce-ignored") {
		err = nil
	}
	if err != nil || !first {
		return err
	}
	return t.loop.probe(FirstProduced, t.partition)
}

// spill makes room in an output that is full. The engine, in the middle of its
// work, could do nothing with an error; it comes with what is sent next.
func (t *task) spill() {
	if t.unsent = t.send(); t.unsent != nil {
		t.out.Reset()
	}
}

// topics are the outputs, in the order of engine.Topic.
func (l *Loop) topics() []string {
	t := &l.config.Topics
	return []string{engine.Results: t.Results, engine.Excluded: t.Excluded, engine.DeadLetters: t.DeadLetters, engine.Changelog: t.Changelog}
}

// collecting says that the open transaction takes input in and may be committed.
func (t *task) collecting() bool { return t.open && !t.flying && t.fenced.IsZero() }

// due says that the open transaction should be committed.
func (t *task) due(now time.Time) bool {
	c := &t.loop.config
	return t.collecting() && (t.taken >= c.CommitRecords || c.Prompt && t.answers || now.Sub(t.began) >= c.CommitInterval || t.bounded())
}

// settled makes the transaction's changes part of the state: it is committed.
func (t *task) settled() {
	if !failpoint.Mutant("processor/merged-early") {
		t.engine.Commit()
	}
	t.loop.worked = true
	t.committed, t.failing = t.attempt, time.Time{}
	t.reset()
	t.publish()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Transactions++ })
}

// rolledBack goes back to the last commit: it was not committed.
func (t *task) rolledBack() error {
	if !failpoint.Mutant("processor/state-kept") {
		t.engine.Rollback()
	}
	t.reset()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Aborts++ })
	if failpoint.Mutant("processor/no-seek") {
		return nil
	}
	return t.seek()
}

// seek reads the partition again from where the task has come to.
func (t *task) seek() error {
	t.parked = false
	t.hold()
	if err := t.loop.consumer.Seek(t.partition, t.attempt.offset); err != nil {
		return t.loop.overtaken(err)
	}
	return nil
}

// publish shows the committed state in the counters.
func (t *task) publish() {
	stats := t.engine.Stats()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) {
		n.Owned, n.Offset, n.Stats = true, t.committed.offset, stats
	})
}
