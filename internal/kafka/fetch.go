package kafka

import (
	"fmt"
	"log/slog"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// fetcher collects what a librdkafka consumer has into one batch per partition.
// It is the seam for another way of reading: whoever fills the batches, the
// consumers above see the same.
type fetcher struct {
	consumer *ck.Consumer
	log      *slog.Logger
	keys     bool
	max      int // records per poll

	batches map[place]*Batch // kept for their memory
	ready   []*Batch         // those filled by the current poll
	records int              // in ready
	bytes   int              // of their keys and values
	failure error            // found behind records, so reported by the next poll
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

func newFetcher(consumer *ck.Consumer, log *slog.Logger, keys bool, max int) fetcher {
	if max <= 0 {
		max = defaultRecords
	}
	return fetcher{consumer: consumer, log: log, keys: keys, max: max, batches: make(map[place]*Batch)}
}

// poll waits for a first event and takes what else is there already.
func (f *fetcher) poll(wait time.Duration) ([]*Batch, error) {
	f.drop()
	if err := f.failure; err != nil {
		f.failure = nil
		return nil, err
	}
	timeout := millis(wait)
	for f.records < f.max && f.bytes < pollBytes {
		event := f.consumer.Poll(timeout)
		timeout = 0
		if event == nil {
			break
		}
		if err := f.take(event); err != nil {
			if f.records == 0 {
				return nil, err
			}
			f.failure = err
			break
		}
	}
	return f.ready, nil
}

// drop forgets what was collected. A rebalance in the middle of a poll does
// this too: the records before it are no longer anyone's.
func (f *fetcher) drop() { f.ready, f.records, f.bytes = f.ready[:0], 0, 0 }

func (f *fetcher) take(event ck.Event) error {
	switch e := event.(type) {
	case *ck.Message:
		tp := &e.TopicPartition
		if tp.Error != nil {
			return f.judge(fmt.Errorf("cannot read topic %q, partition %d: %w", *tp.Topic, tp.Partition, tp.Error))
		}
		b := f.batch(*tp.Topic, tp.Partition)
		b.append(int64(tp.Offset), e.Timestamp.UnixMilli(), e.Value)
		if f.keys {
			b.appendKey(e.Key, e.Value == nil)
		}
		f.records++
		f.bytes += len(e.Key) + len(e.Value)
	case ck.PartitionEOF:
		b := f.batch(*e.Topic, e.Partition)
		b.Next, b.AtEnd = int64(e.Offset), true
	case ck.Error:
		return f.judge(fmt.Errorf("cannot read from Kafka: %w", e))
	}
	return nil
}

// batch returns the current poll's batch of a partition.
func (f *fetcher) batch(topic string, partition int32) *Batch {
	if n := len(f.ready); n > 0 { // records come in runs of a partition
		if b := f.ready[n-1]; b.Partition == partition && b.Topic == topic {
			return b
		}
	}
	b := f.batches[place{topic, partition}]
	if b == nil {
		b = &Batch{Topic: topic, Partition: partition}
		f.batches[place{topic, partition}] = b
	}
	for _, r := range f.ready {
		if r == b {
			return b
		}
	}
	b.reset()
	f.ready = append(f.ready, b)
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

// reading are the settings of every consumer.
func reading() ck.ConfigMap {
	return ck.ConfigMap{
		"isolation.level":          "read_committed", // also makes Committed wait for stable offsets
		"enable.auto.commit":       false,
		"enable.auto.offset.store": false,
		"auto.offset.reset":        "error", // the default skips to the end
		"check.crcs":               true,
		"enable.partition.eof":     true,
		"fetch.queue.backoff.ms":   2, // the default is a stall of a second when the queue is full
		"fetch.wait.max.ms":        20,
		"fetch.error.backoff.ms":   50,

		"max.partition.fetch.bytes":  8 << 20,
		"queued.min.messages":        1_000_000,
		"queued.max.messages.kbytes": 64 << 10,
	}
}
