package task

import (
	"errors"
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
	began   time.Time
	records int       // input records in the open transaction
	failing time.Time // of the first failure in a row; zero if the last commit succeeded
	fenced  time.Time // when another producer was found to have the id; zero if none has
}

// errNotOwner aborts a transaction whose partition may be someone else's.
var errNotOwner = errors.New("the partition is no longer assigned")

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
func (t *task) collecting() bool { return t.open && t.fenced.IsZero() }

// due says that the open transaction should be committed.
func (t *task) due(now time.Time) bool {
	c := &t.loop.config
	return t.collecting() && (t.records >= c.CommitRecords || now.Sub(t.began) >= c.CommitInterval)
}

// commit ends the open transaction, one way or the other.
func (t *task) commit() error {
	start := time.Now()
	if err := t.tryCommit(); err != nil {
		return t.failed(err)
	}
	t.settled()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.CommitSeconds += time.Since(start).Seconds() })
	if t.producer.Suspect() {
		// A late request of this transaction could hit the next one. A new
		// producer has a new epoch, which it cannot.
		return t.recreate()
	}
	return nil
}

func (t *task) tryCommit() error {
	t.engine.Flush(&t.out)
	if err := t.send(); err != nil {
		return err
	}
	if err := t.loop.probe(Produced, t.partition); err != nil {
		return err
	}
	if t.loop.consumer.Lost() {
		return errNotOwner
	}
	// Taken now, not at assignment: any rebalance makes it stale.
	member, err := t.loop.consumer.Metadata()
	if err != nil {
		return errors.Join(errNotOwner, err)
	}
	t.attempt.transaction = t.committed.transaction + 1
	t.attempt.watermark = t.engine.Stats().Watermark
	t.attempt.topicID = t.loop.source.ID
	t.offered = true
	err = t.producer.SendOffsets(t.loop.config.Topics.Events,
		[]kafka.Committed{{Partition: t.partition, Offset: t.attempt.offset, Metadata: t.attempt.metadata()}}, member)
	if err != nil {
		return err
	}
	if err := t.loop.probe(OffsetsSent, t.partition); err != nil {
		return err
	}
	if err := t.producer.Commit(); err != nil {
		return err
	}
	return t.loop.probe(Committed, t.partition)
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
