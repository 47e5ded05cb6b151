package kafka

import (
	"fmt"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// pollMessages waits for a first event and takes what else is there already,
// one by one. It is what pollLanes must equal.
func (f *fetcher) pollMessages(wait time.Duration) error {
	if err := f.deliverReleased(); err != nil {
		return err
	}
	timeout := millis(wait)
	if len(f.ready) > 0 {
		timeout = 0
	}
	for f.records < f.max && f.bytes < pollBytes {
		event := f.consumer.Poll(timeout)
		timeout = 0
		if event == nil {
			break
		}
		if err := f.take(event); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetcher) take(event ck.Event) error {
	switch e := event.(type) {
	case *ck.Message:
		tp := &e.TopicPartition
		if tp.Error != nil {
			return f.judge(fmt.Errorf("cannot read topic %q, partition %d: %w", *tp.Topic, tp.Partition, tp.Error))
		}
		b := f.batchOrAside(*tp.Topic, tp.Partition)
		b.append(int64(tp.Offset), e.Timestamp.UnixMilli(), e.Value)
		if f.keys {
			b.appendKey(e.Key, e.Value == nil)
		}
		f.records++
		f.bytes += len(e.Key) + len(e.Value)
	case ck.PartitionEOF:
		b := f.batchOrAside(*e.Topic, e.Partition)
		b.Next, b.AtEnd = int64(e.Offset), true
	case ck.Error:
		return f.judge(fmt.Errorf("cannot read from Kafka: %w", e))
	}
	return nil
}

// aside is what was polled of a held partition. There is one queue for all, so
// its records cannot stay in the client.
type aside struct {
	batch  *Batch
	held   bool
	paused bool // it has become so much that the client fetches no more
}

func (f *fetcher) batchOrAside(topic string, partition int32) *Batch {
	if a := f.aside[place{topic, partition}]; a != nil {
		return a.batch
	}
	return f.batch(topic, partition)
}

func (f *fetcher) holdMessages(p place, on bool) {
	if a := f.aside[p]; a != nil {
		a.held = on
	} else if on {
		f.aside[p] = &aside{batch: &Batch{Topic: p.topic, Partition: p.partition}, held: true}
	}
}

// deliverReleased hands over what partitions have that are held no longer, and
// bounds what those have that are.
func (f *fetcher) deliverReleased() error {
	for p, a := range f.aside {
		size := len(a.batch.Data) + len(a.batch.KeyData)
		switch {
		case a.held && size > pollBytes && !a.paused:
			if err := f.consumer.Pause(topicPartitions(p.topic, []int32{p.partition})); err != nil {
				return fmt.Errorf("cannot pause topic %q, partition %d: %w", p.topic, p.partition, err)
			}
			a.paused = true
		case !a.held:
			if a.paused {
				if err := f.consumer.Resume(topicPartitions(p.topic, []int32{p.partition})); err != nil {
					return fmt.Errorf("cannot resume topic %q, partition %d: %w", p.topic, p.partition, err)
				}
			}
			delete(f.aside, p)
			if a.batch.Len() > 0 || a.batch.AtEnd {
				f.batches[p] = a.batch
				f.ready = append(f.ready, a.batch)
				f.records += a.batch.Len()
				f.bytes += size
			}
		}
	}
	return nil
}
