package task

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
)

// assigned takes over partitions. The order of the steps is what makes it
// safe; each depends on the one before.
func (l *Loop) assigned(partitions []int32) ([]int64, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	began := time.Now()
	if err := l.alone(partitions[0]); err != nil {
		return nil, err
	}
	if failpoint.Mutant("processor/ids-late") {
		return l.assignedLate(partitions)
	}
	// 1. Take the transactional ids: what a dead owner left open is aborted now.
	if err := l.takeIDs(partitions); err != nil {
		return nil, err
	}
	taken := time.Now()
	// 2. to 6. Committed offsets, then the state that belongs to them.
	restored, err := l.restore(partitions)
	if err != nil {
		return nil, err
	}
	// 7. Begin at exactly these offsets.
	offsets := l.adopt(partitions, restored)
	l.config.Log.Info("partitions taken over", "partitions", partitions, "offsets", offsets, "took", time.Since(began).Round(time.Millisecond), "restore", time.Since(taken).Round(time.Millisecond))
	return offsets, nil
}

// assignedLate is the mutant that restores before it takes the ids.
func (l *Loop) assignedLate(partitions []int32) ([]int64, error) {
	restored, err := l.restore(partitions)
	if err == nil {
		err = l.takeIDs(partitions)
	}
	if err != nil {
		return nil, err
	}
	return l.adopt(partitions, restored), nil
}

// adopt gives the tasks their states, and says where to read on.
func (l *Loop) adopt(partitions []int32, restored []state) []int64 {
	offsets := make([]int64, len(partitions))
	for i, p := range partitions {
		l.tasks[p].adopt(restored[i])
		offsets[i] = restored[i].committed.offset
	}
	return offsets
}

// alone looks, before this process has done anything, whether another deployment
// is at work in the group: the transactional ids would be the same, and each
// would fence the other again and again. Who came first goes on.
func (l *Loop) alone(partition int32) error {
	if l.worked {
		return nil
	}
	topics, err := l.admin.GroupTopics(l.ctx, l.config.Group)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		if topic != l.config.Topics.Events {
			return l.stop(partition, nil, "give each deployment a --group of its own",
				"members of group %q are at work on topic %q, and would fence these: transactional ids begin with the group's name", l.config.Group, topic)
		}
	}
	return nil
}

// takeIDs makes the tasks with their producers, all at once: each waits for
// the coordinator.
func (l *Loop) takeIDs(partitions []int32) error {
	producers := make([]Producer, len(partitions))
	errs := make([]error, len(partitions))
	var taking sync.WaitGroup
	for i, p := range partitions {
		taking.Go(func() { producers[i], errs[i] = l.producer(p) })
	}
	taking.Wait()
	for i, p := range partitions {
		if producers[i] != nil {
			l.tasks[p] = l.task(p, producers[i])
		}
	}
	return cmp.Or(errs...)
}

func (l *Loop) task(partition int32, producer Producer) *task {
	t := &task{
		loop: l, partition: partition, producer: producer, outcome: make(chan outcome, 1),
		records: kafka.Records{Topics: l.topics(), Partition: partition},
	}
	t.out.Full = t.spill
	return t
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
		failed := l.probe(Revoking, t.partition)
		t.abandon(lost || failed != nil)
		l.config.Counters.edit(t.partition, func(n *Counts) { n.Owned = false })
		closing.Go(t.producer.Close) // each takes a tenth of a second
	}
	closing.Wait()
	clear(l.tasks)
}

// producer makes the partition's producer and takes its id.
func (l *Loop) producer(partition int32) (Producer, error) {
	if err := l.probe(Taking, partition); err != nil {
		return nil, err
	}
	if l.config.Guarantee != ExactlyOnce {
		return l.weaker(partition)
	}
	id := fmt.Sprintf("%s-%d", l.config.Group, partition)
	producer, err := l.config.Kafka.Producer(kafka.TxnConfig{
		ID: id, Timeout: l.config.TransactionTimeout, Linger: l.config.Linger, Queue: queue(l.source.Partitions),
	})
	if err != nil {
		return nil, err
	}
	if err = producer.Init(l.ctx); err == nil {
		err = l.probe(Taken, partition)
	}
	if err != nil {
		producer.Close()
		return nil, err
	}
	return producer, nil
}

// queue is how many bytes of output a partition's producer may have on its way:
// a part of 64 MiB, so that brokers which answer slowly cost no more memory where
// there are many partitions. A transaction needs no room for all of it: more
// waits until some is acknowledged. Two MiB are two full requests, of which one is
// on its way at a time: the other is made ready meanwhile.
func queue(partitions int) int {
	const all, least = 64 << 20, 2 << 20
	return max(all/max(partitions, 1), least)
}
