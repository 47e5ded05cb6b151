package task

import (
	"fmt"
	"hash/crc32"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// task is one owned partition.
type task struct {
	loop      *Loop
	partition int32
	producer  *kafka.Txn
	engine    *engine.Engine
	out       engine.Output

	committed position // what is certain
	attempt   position // what the open transaction would make of it
	offered   bool     // the coordinator may have it: attempt's offset was sent

	open    bool
	flying  bool         // its commit is in flight
	outcome chan outcome // of the commit in flight
	began   time.Time
	records int       // input records in the open transaction
	failing time.Time // of the first failure in a row; zero if the last commit succeeded
	fenced  time.Time // when another producer was found to have the id; zero if none has
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// adopt begins from a restored state.
func (t *task) adopt(s state) {
	t.committed, t.engine = s.committed, s.engine
	t.reset()
	t.publish()
}

// reset makes the open transaction's bookkeeping empty.
func (t *task) reset() {
	t.out.Reset()
	t.attempt = position{offset: t.committed.offset}
	t.open, t.offered, t.records = false, false, 0
}

// receive takes a polled batch in, unless it does not follow on what the task has.
func (t *task) receive(b *kafka.Batch) error {
	if t.flying {
		o := <-t.outcome
		if err := t.land(o); err != nil {
			return err
		}
		if o.err != nil {
			return nil // the partition is read again from where it is now
		}
	}
	if !t.fenced.IsZero() {
		return nil // its end seeks back
	}
	return t.apply(b)
}

// advance moves the partition on as time goes: takes in how its commit ended,
// sends off the next one if it is due, and takes its id back from a producer
// that did not become the owner.
func (t *task) advance() error {
	if t.flying && len(t.outcome) > 0 {
		if err := t.land(<-t.outcome); err != nil {
			return err
		}
	}
	if t.due(time.Now()) {
		if err := t.offer(); err != nil {
			return err
		}
	}
	if !t.fenced.IsZero() && time.Since(t.fenced) > 2*t.loop.consumer.Heartbeat() {
		return t.recreate() // still the owner
	}
	return nil
}

// apply takes a batch in. Errors of the transaction are dealt with here; the
// one that is returned ends the loop.
func (t *task) apply(b *kafka.Batch) error {
	if b.Offsets[0] < t.attempt.offset {
		return fmt.Errorf("cannot process partition %d: the client delivered offset %d again, %d was expected", t.partition, b.Offsets[0], t.attempt.offset)
	}
	if err := t.begin(); err != nil {
		return t.failed(err)
	}
	t.engine.Apply(&engine.Batch{Offsets: b.Offsets, Timestamps: b.Timestamps, Ends: b.Ends, Data: b.Data}, &t.out)
	t.attempt.offset = t.engine.Next()
	t.records += b.Len()
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
	if err := t.producer.Begin(); err != nil {
		return err
	}
	return t.loop.probe(Begun, t.partition)
}

// send hands the engine's output to the producer.
func (t *task) send() error {
	topics := &t.loop.config.Topics
	for i := range t.out.Len() {
		topic, key, value := t.out.At(i)
		record := kafka.Record{Partition: t.partition, Key: key, Value: value}
		switch topic {
		case engine.Results:
			record.Topic = topics.Results
		case engine.Excluded:
			record.Topic = topics.Excluded
		case engine.DeadLetters:
			record.Topic = topics.DeadLetters
		case engine.Changelog:
			record.Topic = topics.Changelog
		}
		if err := t.producer.Produce(record); err != nil {
			return err
		}
		t.attempt.records++
		t.attempt.digest = crc32.Update(crc32.Update(t.attempt.digest, castagnoli, key), castagnoli, value)
	}
	t.out.Reset()
	return nil
}

// collecting says that the open transaction takes input in and may be committed.
func (t *task) collecting() bool { return t.open && !t.flying && t.fenced.IsZero() }

// due says that the open transaction should be committed.
func (t *task) due(now time.Time) bool {
	c := &t.loop.config
	return t.collecting() && (t.records >= c.CommitRecords || now.Sub(t.began) >= c.CommitInterval)
}

// settled makes the transaction's changes part of the state: it is committed.
func (t *task) settled() {
	t.engine.Commit()
	t.committed, t.failing = t.attempt, time.Time{}
	t.reset()
	t.publish()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Transactions++ })
}

// rolledBack goes back to the last commit: it was not committed.
func (t *task) rolledBack() error {
	t.engine.Rollback()
	t.reset()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Aborts++ })
	return t.loop.consumer.Seek(t.partition, t.committed.offset)
}

// publish shows the committed state in the counters.
func (t *task) publish() {
	stats := t.engine.Stats()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) {
		n.Owned, n.Offset, n.Stats = true, t.committed.offset, stats
	})
}
