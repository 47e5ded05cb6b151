package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// fetcher collects what a librdkafka consumer has into one batch per partition.
// There are two ways to fill the batches, pollLanes and pollMessages; whoever
// reads them sees the same.
type fetcher struct {
	consumer *ck.Consumer
	log      *slog.Logger
	keys     bool
	max      int // records per poll
	path     FetchPath
	lanes    *lanes // the partitions' own queues; nil: records come one by one

	batches map[place]*Batch // kept for their memory
	ready   []*Batch         // those filled by the current poll
	records int              // taken by the current poll
	bytes   int              // of their keys and values
	changed bool             // the assignment, during the current poll
	failure error            // found behind records, so reported by the next poll

	aside map[place]*aside // held partitions of a consumer without lanes
}

type place struct {
	topic     string
	partition int32
}

// defaultRecords per poll: enough to make the costs of a poll vanish, few
// enough that a poll takes some milliseconds.
const defaultRecords = 4096

// pollBytes ends a poll as well: large records must not fill the memory. A poll
// goes beyond it by less than one record.
const pollBytes = 16 << 20

func newFetcher(consumer *ck.Consumer, log *slog.Logger, keys bool, max int, wanted FetchPath) (fetcher, error) {
	if max <= 0 {
		max = defaultRecords
	}
	f := fetcher{consumer: consumer, log: log, keys: keys, max: max,
		batches: make(map[place]*Batch), aside: make(map[place]*aside)}
	obstacle := able()
	if obstacle == nil && wanted != FetchPoll {
		f.lanes, obstacle = newLanes(consumer)
	}
	var err error
	f.path, err = choose(wanted, obstacle)
	if err == nil && f.path == FetchPoll && wanted == FetchAuto {
		fellBack(log, obstacle)
	}
	return f, err
}

// Path says which way the records take: FetchPoll or FetchBatch.
func (f *fetcher) Path() FetchPath { return f.path }

// poll waits for something to read and takes what there is.
func (f *fetcher) poll(wait time.Duration) ([]*Batch, error) {
	f.drop()
	f.changed = false
	if err := f.failure; err != nil {
		f.failure = nil
		return nil, err
	}
	var err error
	if f.lanes != nil {
		err = f.pollLanes(wait)
	} else {
		err = f.pollMessages(wait)
	}
	if err != nil && len(f.ready) == 0 {
		return nil, err
	}
	f.failure = err
	return f.ready, nil
}

// drop forgets what was collected.
func (f *fetcher) drop() { f.ready, f.records, f.bytes = f.ready[:0], 0, 0 }

// assign makes the consumer read these partitions and no other.
func (f *fetcher) assign(tps []ck.TopicPartition) error {
	f.leave()
	if f.lanes != nil {
		if err := f.lanes.take(tps); err != nil {
			f.lanes.release()
			return errors.Join(err, f.consumer.Unassign()) // the group waits for an answer
		}
	}
	return f.consumer.Assign(tps)
}

// leave forgets all that came from the partitions of now: after a rebalance in
// the middle of a poll the records before it are no longer anyone's.
func (f *fetcher) leave() {
	f.drop()
	f.changed = true
	clear(f.aside)
	if f.lanes != nil {
		f.lanes.release()
	}
}

// forget drops what was taken of a partition and not handed out.
func (f *fetcher) forget(p place) {
	if a := f.aside[p]; a != nil {
		a.batch.reset()
	}
	if f.lanes == nil {
		return
	}
	if l := f.lanes.find(p); l != nil {
		l.drop()
	}
}

// hold makes polls leave a partition's records where they are, or ends that.
func (f *fetcher) hold(p place, on bool) {
	if f.lanes == nil {
		f.holdMessages(p, on)
	} else if l := f.lanes.find(p); l != nil {
		l.held = on
	}
}

// close ends the consumer.
func (f *fetcher) close() error {
	if f.lanes != nil {
		f.lanes.close()
		f.lanes = nil
	}
	return f.consumer.Close()
}

// batch returns the current poll's batch of a partition.
func (f *fetcher) batch(topic string, partition int32) *Batch {
	if n := len(f.ready); n > 0 { // records come in runs of a partition
		if b := f.ready[n-1]; b.Partition == partition && b.Topic == topic {
			return b
		}
	}
	b := f.spare(place{topic, partition})
	for _, r := range f.ready {
		if r == b {
			return b
		}
	}
	b.reset()
	f.ready = append(f.ready, b)
	return b
}

// spare returns the batch whose memory is kept for a partition.
func (f *fetcher) spare(p place) *Batch {
	b := f.batches[p]
	if b == nil {
		b = &Batch{Topic: p.topic, Partition: p.partition}
		f.batches[p] = b
	}
	return b
}

// judge lets those errors pass which librdkafka overcomes by itself; it logs
// them. Anything else ends the reading: better to stop than to skip.
func (f *fetcher) judge(err error) error {
	c := code(err)
	switch {
	case Transient(err),
		c == ck.ErrMaxPollExceeded: // the rebalance that follows says so to the owner
		overcome(f.log, err)
		return nil
	case c == ck.ErrAutoOffsetReset, c == ck.ErrOffsetOutOfRange:
		return fmt.Errorf("%w; the records from there on are gone from the log, or the topic was made again", err)
	}
	return err
}
