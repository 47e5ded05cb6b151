package kafka

import (
	"fmt"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// pollLanes serves the consumer's events and takes what the partitions' queues
// have, waiting until one of them has something. It does not wait for more:
// when records are few, that is what a fast answer costs.
func (f *fetcher) pollLanes(wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		if err := f.serve(); err != nil || f.changed {
			return err
		}
		if err := f.collect(); err != nil || len(f.ready) > 0 {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil
		}
		// In pieces, because only serve tells the client that this member lives.
		if err := f.lanes.wait(min(left, time.Second)); err != nil {
			return fmt.Errorf("cannot wait for records: %w", err)
		}
	}
}

// serve runs rebalances and judges errors. Records do not come this way: their
// queues were cut off before anything was fetched.
func (f *fetcher) serve() error {
	for {
		event := f.consumer.Poll(0)
		if event == nil { // as well when it was a rebalance
			if f.changed || f.lanes.silent() {
				return nil
			}
			continue
		}
		if m, ok := event.(*ck.Message); ok && m.TopicPartition.Error == nil {
			return fmt.Errorf("cannot read topic %q, partition %d in batches: a record came past the partition's queue; choose the path poll",
				*m.TopicPartition.Topic, m.TopicPartition.Partition)
		}
		if err := f.take(event); err != nil {
			return err
		}
	}
}

// collect takes from each queue in turn what it has, up to the bounds of a poll.
func (f *fetcher) collect() error {
	open := f.lanes.open
	for i := range open {
		l := open[(f.lanes.turn+i)%len(open)]
		if l.held {
			continue
		}
		if f.records >= f.max || f.bytes >= pollBytes {
			break
		}
		if err := f.read(l); err != nil {
			return err
		}
	}
	f.lanes.turn++
	return nil
}

// read takes what one lane has. Behind an error which is overcome there may be more.
func (f *fetcher) read(l *lane) error {
	b := f.spare(l.place)
	b.reset()
	b.Next = -1
	for {
		records, bytes, err := l.read(b, f.keys, f.max-f.records, pollBytes-f.bytes)
		f.records += records
		f.bytes += bytes
		if err != nil {
			err = f.judge(fmt.Errorf("cannot read topic %q, partition %d: %w", l.topic, l.partition, err))
			if err == nil {
				continue
			}
		}
		if b.Next >= 0 {
			f.ready = append(f.ready, b)
		}
		return err
	}
}
