package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// assigned takes over partitions. The order of the steps is what makes it
// safe; each depends on the one before.
func (l *Loop) assigned(partitions []int32) ([]int64, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	began := time.Now()
	// 1. Take the transactional ids: what a dead owner left open is aborted now.
	if err := l.takeIDs(partitions); err != nil {
		return nil, err
	}
	// 2. to 6. Committed offsets, then the state that belongs to them.
	restored, err := l.restore(partitions)
	if err != nil {
		return nil, err
	}
	// 7. Begin at exactly these offsets.
	offsets := make([]int64, len(partitions))
	for i, p := range partitions {
		l.tasks[p].adopt(restored[i])
		offsets[i] = restored[i].committed.offset
	}
	l.config.Log.Info("partitions taken over", "partitions", partitions, "offsets", offsets, "took", time.Since(began).Round(time.Millisecond))
	return offsets, nil
}

// takeIDs makes the tasks with their producers, all at once: each waits for
// the coordinator.
func (l *Loop) takeIDs(partitions []int32) error {
	producers := make([]*kafka.Txn, len(partitions))
	errs := make([]error, len(partitions))
	var taking sync.WaitGroup
	for i, p := range partitions {
		taking.Go(func() { producers[i], errs[i] = l.producer(p) })
	}
	taking.Wait()
	for i, p := range partitions {
		if producers[i] != nil {
			l.tasks[p] = &task{loop: l, partition: p, producer: producers[i], outcome: make(chan outcome, 1)}
		}
	}
	return cmp.Or(errs...)
}

// revoked drops partitions. It waits for commits in flight: as long as this
// member has not answered, its generation stands and nobody else owns them.
func (l *Loop) revoked(partitions []int32, lost bool) {
	l.release(lost)
	if len(partitions) > 0 {
		l.config.Log.Info("partitions given up", "partitions", partitions, "lost", lost)
	}
}

// release drops all tasks: assignments are eager, so partitions go together.
func (l *Loop) release(lost bool) {
	var closing sync.WaitGroup
	for _, t := range l.inOrder() {
		t.abandon(lost)
		l.config.Counters.edit(t.partition, func(n *Counts) { n.Owned = false })
		closing.Go(t.producer.Close) // each takes a tenth of a second
	}
	closing.Wait()
	clear(l.tasks)
}

// producer makes the partition's producer and takes its id.
func (l *Loop) producer(partition int32) (*kafka.Txn, error) {
	id := fmt.Sprintf("%s-%d", l.config.Group, partition)
	producer, err := kafka.NewTxn(l.config.Kafka, kafka.TxnConfig{ID: id, Timeout: l.config.TransactionTimeout})
	if err != nil {
		return nil, err
	}
	if err := producer.Init(l.ctx); err != nil {
		producer.Close()
		return nil, err
	}
	return producer, nil
}

// state is what a partition starts from.
type state struct {
	committed position
	engine    *engine.Engine
}

// restore brings back the state as of the committed offsets, in the order of
// partitions, or says why the two do not fit.
func (l *Loop) restore(partitions []int32) ([]state, error) {
	topics := l.config.Topics
	// 2. The committed offsets. Asking waits for transactions in flight.
	committed, err := l.committed(partitions)
	if err != nil {
		return nil, err
	}
	// 3. The input must be the one that the offsets belong to.
	if err := l.checkSource(partitions, committed); err != nil {
		return nil, err
	}
	// 4. Only now the end of the changelog, open transactions and markers
	// included: markers reach the offsets and the changelog at different times,
	// so the last stable offset may still lie before what is committed.
	ends, err := l.admin.Offsets(l.ctx, topics.Changelog, partitions)
	if err != nil {
		return nil, err
	}
	// 5. and 6. Read it to that end.
	states := make([]state, len(partitions))
	ranges := make([]kafka.Range, len(partitions))
	index := make(map[int32]int, len(partitions))
	for i, p := range partitions {
		e := engine.New(l.config.Views, topics.Events, p)
		e.SetSource(l.source.ID, int32(l.source.Partitions))
		states[i] = state{committed[i], e}
		ranges[i] = kafka.Range{Topic: topics.Changelog, Partition: p, From: ends[i].Earliest, To: ends[i].High}
		index[p] = i
	}
	err = kafka.ReadTo(l.ctx, l.config.Kafka, kafka.ReaderConfig{Keys: true}, ranges, l.config.RestoreStall, func(b *kafka.Batch) error {
		e := states[index[b.Partition]].engine
		for i := range b.Len() {
			if err := e.Load(b.Key(i), b.Value(i)); err != nil {
				return l.stop(b.Partition, err, tellVersion, "the changelog %q at offset %d: %v", b.Topic, b.Offsets[i], err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, p := range partitions {
		if err := l.checkState(p, &states[i]); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// committed asks for the group's positions, in short pieces, so that the end
// of ctx is noticed.
func (l *Loop) committed(partitions []int32) ([]position, error) {
	// A transaction of someone else that commits offsets of these partitions is
	// settled by its timeout, for which coordinators look every ten seconds.
	deadline := time.Now().Add(l.config.TransactionTimeout + 15*time.Second)
	for {
		answer, err := l.consumer.Committed(partitions, time.Second)
		if err != nil {
			if !kafka.Transient(err) || !time.Now().Before(deadline) {
				return nil, err
			}
			select { // some failures come at once
			case <-l.ctx.Done():
				return nil, context.Cause(l.ctx)
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		positions := make([]position, len(partitions))
		for i, c := range answer {
			if c.Offset < 0 {
				continue // nothing was ever committed: transaction 0 at offset 0
			}
			if positions[i], err = parsePosition(c.Offset, c.Metadata); err != nil {
				return nil, l.stop(c.Partition, err, oneOwner, "group %q: %v", l.config.Group, err)
			}
		}
		return positions, nil
	}
}

// checkSource compares the input topic with what the commits say of it.
func (l *Loop) checkSource(partitions []int32, committed []position) error {
	source, err := l.admin.Topic(l.ctx, l.config.Topics.Events)
	if err != nil {
		return err
	}
	l.source = source
	ends, err := l.admin.Offsets(l.ctx, source.Name, partitions)
	if err != nil {
		return err
	}
	for i, p := range partitions {
		c := &committed[i]
		if c.transaction > 0 && c.topicID != source.ID {
			return l.recreated(p, c.topicID, c.offset)
		}
		if ends[i].Earliest > c.offset {
			return l.stop(p, nil, "the records between are lost; "+startAnew, "its log starts at offset %d, but offset %d is needed next", ends[i].Earliest, c.offset)
		}
		if ends[i].High < c.offset {
			return l.stop(p, nil, "its end was lost; "+startAnew, "its log ends at offset %d, but offset %d is needed next", ends[i].High, c.offset)
		}
	}
	return nil
}

func (l *Loop) recreated(p int32, was string, offset int64) error {
	return l.stop(p, nil, startAnew, "the topic was deleted and made again: its id is %q, but it was processed up to offset %d as %q", l.source.ID, offset, was)
}

// checkState compares what the changelog restored with what is committed.
func (l *Loop) checkState(p int32, s *state) error {
	c := &s.committed
	meta, err := s.engine.Loaded()
	if views := (*engine.ViewsError)(nil); errors.As(err, &views) {
		return l.stop(p, err, "", "%v", err) // it says itself what to do
	}
	if err != nil {
		return l.stop(p, err, oneOwner, "%v", err)
	}
	changelog := l.config.Topics.Changelog
	switch {
	// First, because whoever deletes a topic deletes its committed offsets too.
	case meta.Transaction > 0 && meta.TopicID != l.source.ID:
		return l.recreated(p, meta.TopicID, meta.Next)
	case c.transaction == 0 && meta.Transaction > 0:
		return l.stop(p, nil, "if the group's offsets were deleted or have expired, "+startAnew,
			"the changelog %q holds transaction %d up to offset %d, but group %q has committed nothing", changelog, meta.Transaction, meta.Next, l.config.Group)
	case c.transaction > 0 && meta.Transaction == 0:
		return l.stop(p, nil, "if the changelog was deleted, "+startAnew,
			"group %q has committed offset %d, but the changelog %q is empty", l.config.Group, c.offset, changelog)
	case meta.Transaction != c.transaction || meta.Next != c.offset:
		return l.stop(p, nil, oneOwner, "the changelog %q has come to offset %d in transaction %d, the committed offset is %d of transaction %d",
			changelog, meta.Next, meta.Transaction, c.offset, c.transaction)
	case meta.Transaction > 0 && int(meta.Partitions) != l.source.Partitions:
		return l.stop(p, nil, startAnew, "the topic had %d partitions when the state was made and has %d now, so keys have moved", meta.Partitions, l.source.Partitions)
	}
	return nil
}
