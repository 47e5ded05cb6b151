package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Earliest as a Start's offset is the first one that the partition still has.
// The client takes half a second and more to find it; Admin.Offsets does not.
const Earliest int64 = -2

// Start is where to read a partition from.
type Start struct {
	Topic     string
	Partition int32
	Offset    int64 // or Earliest
}

// ReaderConfig says how a reader reads.
type ReaderConfig struct {
	Keys       bool // fill the batches' keys and tombstones
	MaxRecords int  // per Poll; 0 takes a sensible number

	Fetch     FetchPath     // how records come out of the client; 0 = FetchAuto
	FetchWait time.Duration // 0 = 20 ms; how long the broker may keep a request open until there is something
	// FetchQueue bounds the bytes of records which wait in the client, of all
	// partitions together; 0 is 4 MiB for each on FetchBatch, 64 MiB on FetchPoll.
	// Small records take some times their size, and one answer of the broker may
	// go beyond, by 1 MiB as it was sent (8 on FetchPoll).
	FetchQueue int
}

// Reader reads given partitions outside any group and commits nothing.
type Reader struct {
	fetcher
	free func()
}

// NewReader begins to read at the given places, committed records only.
func NewReader(c Config, rc ReaderConfig, starts ...Start) (*Reader, error) {
	own := fetching{rc.Fetch, rc.FetchWait, rc.FetchQueue, len(starts)}.settings()
	own["group.id"] = "parallax-reader" // demanded by the client; it joins no group
	conf, free, err := c.settings(own)
	if err != nil {
		return nil, err
	}
	consumer, err := ck.NewConsumer(conf)
	if err != nil {
		free()
		return nil, fmt.Errorf("cannot make a Kafka reader for %q: %w", c.Brokers, err)
	}
	connect(consumer)
	r := &Reader{free: free}
	if r.fetcher, err = newFetcher(consumer, c.log(), rc.Keys, rc.MaxRecords, rc.Fetch); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	tps := make([]ck.TopicPartition, len(starts))
	for i, s := range starts {
		tps[i] = ck.TopicPartition{Topic: &s.Topic, Partition: s.Partition, Offset: ck.Offset(s.Offset)}
	}
	if err := r.assign(tps); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read %d partitions: %w", len(starts), err), r.Close())
	}
	return r, nil
}

// Poll waits at most wait for records and returns what there is, one batch per
// partition. The batches are valid until the next Poll.
func (r *Reader) Poll(wait time.Duration) ([]*Batch, error) { return r.poll(wait) }

// Close ends the reader.
func (r *Reader) Close() error {
	err := r.close()
	r.free()
	return err
}

// Range is a piece of a partition: [From, To).
type Range struct {
	Topic     string
	Partition int32
	From, To  int64 // From may be Earliest
}

// ReadTo hands every committed record of the ranges to fn, each partition in
// offset order, and returns when all of them are passed. The last offsets of a
// range may be control records, which nobody sees: the position counts, not
// the last record. If no partition advances for the time stall, that is an
// error: the log may have lost its end, or hold a transaction that never ends.
func ReadTo(ctx context.Context, c Config, rc ReaderConfig, ranges []Range, stall time.Duration, fn func(*Batch) error) (err error) {
	open := slices.DeleteFunc(slices.Clone(ranges), func(r Range) bool { return r.From >= r.To || r.To <= 0 })
	if len(open) == 0 {
		return nil
	}
	starts := make([]Start, len(open))
	for i, r := range open {
		starts[i] = Start{r.Topic, r.Partition, r.From}
	}
	reader, err := NewReader(c, rc, starts...)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, reader.Close()) }()

	moved := time.Now()
	for len(open) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		batches, err := reader.Poll(100 * time.Millisecond)
		if err != nil {
			return err
		}
		for _, b := range batches {
			i := slices.IndexFunc(open, func(r Range) bool { return r.Topic == b.Topic && r.Partition == b.Partition })
			if i < 0 {
				continue // already past its end
			}
			done := b.Next >= open[i].To
			b.truncate(open[i].To)
			if b.Len() > 0 {
				if err := fn(b); err != nil {
					return err
				}
			}
			if b.Next > open[i].From {
				open[i].From, moved = b.Next, time.Now()
			}
			if done {
				open = slices.Delete(open, i, i+1)
				if err := reader.end(place{b.Topic, b.Partition}); err != nil {
					return err
				}
			}
		}
		if waited := time.Since(moved); waited > stall {
			r := open[0]
			return fmt.Errorf("cannot read topic %q, partition %d up to offset %d: nothing came after offset %d for %s; its end may be lost, or a transaction in it may never have ended (kafka-transactions.sh find-hanging)",
				r.Topic, r.Partition, r.To, r.From, waited.Round(time.Second))
		}
	}
	return nil
}

// end stops fetching a partition whose range is done.
func (r *Reader) end(p place) error {
	err := r.consumer.Pause(topicPartitions(p.topic, []int32{p.partition}))
	r.forget(p)
	return err
}
