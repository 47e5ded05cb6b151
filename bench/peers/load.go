package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"parallax.example/bench/dataset"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/services/generator"
)

const (
	partitions = 4
	patience   = 2 * time.Minute
	day        = 24 * 60 * 60 * 1_000_000 // µs
	year       = 365 * day
)

// allPartitions are their numbers.
var allPartitions = []int32{0, 1, 2, 3}

// set is a topic of flights: JSON in 4 partitions by murmur2 of the origin, in
// the order in which the delays became known, and one punctuation per partition
// at the end. Above the data's own size it is the same flights again, each time
// a year later and under seqs of their own.
type set struct {
	name   string // prefix of its topics
	copies int
	week   bool // the built-in week instead of the half year
	events int  // known after load
	ends   []int64
	truth  *truth
}

func (s *set) topics() kafka.Topics { return kafka.NewTopics(s.name) }

// millions is the set of 3 million flights so many times.
func (l *lab) millions(copies int) *set {
	if l.small {
		return &set{name: fmt.Sprintf("week-x%d", copies), copies: copies, week: true}
	}
	return &set{name: fmt.Sprintf("flights-%dm", 3*copies), copies: copies}
}

// load fills the set's topic if it is not there yet, and answers it naively.
func (l *lab) load(ctx context.Context, s *set) error {
	info, err := l.admin.Topic(ctx, s.topics().Events)
	switch {
	case errors.Is(err, kafka.ErrNoTopic):
		if err := l.fill(ctx, s); err != nil {
			return fmt.Errorf("cannot load %s: %w", s.name, errors.Join(err, l.drop(s.topics().Events)))
		}
	case err != nil:
		return err
	case info.Partitions != partitions:
		return fmt.Errorf("cannot use topic %q: it has %d partitions, not %d; delete it", info.Name, info.Partitions, partitions)
	}
	offsets, err := l.admin.Offsets(ctx, s.topics().Events, allPartitions)
	if err != nil {
		return err
	}
	s.ends = nil
	for _, o := range offsets {
		if o.Earliest != 0 {
			return fmt.Errorf("cannot use topic %q: partition %d has lost its beginning; delete the topic, it is then filled anew", s.topics().Events, o.Partition)
		}
		s.ends = append(s.ends, o.Stable)
	}
	if s.truth, err = l.answer(ctx, s, never); err != nil {
		return err
	}
	s.events = s.truth.events
	l.progress("%s: %d events, %d cells, the largest step back in time %s", s.name, s.events, len(s.truth.cells), time.Duration(s.truth.back)*time.Microsecond)
	return nil
}

// fill sends the set: a single one by the generator, more by copying that.
func (l *lab) fill(ctx context.Context, s *set) error {
	if err := l.create(ctx, s.topics().Specs(partitions, 1)[:1]...); err != nil {
		return err
	}
	if s.copies == 1 {
		return l.generate(ctx, s)
	}
	one := *s
	one.name, one.copies = l.millions(1).name, 1
	if err := l.load(ctx, &one); err != nil {
		return err
	}
	l.progress("loading %s", s.name)
	return l.copy(ctx, &one, s)
}

func (l *lab) generate(ctx context.Context, s *set) error {
	var file string
	if !s.week {
		var err error
		if file, err = dataset.Fetch(ctx, l.cache, l.progress); err != nil {
			return err
		}
	}
	l.progress("loading %s", s.name)
	ledger := filepath.Join(l.cache, s.name+".ledger")
	_ = os.Remove(ledger) // of a load that was broken off
	defer os.Remove(ledger)
	g, err := generator.New(generator.Config{
		Brokers: l.kafka.Brokers, TopicPrefix: s.name, Partitions: partitions, Dataset: file, Form: "json", Ledger: ledger, RunID: s.name,
	}, generator.Deps{Clock: generator.WallClock{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, err = g.Run(ctx)
	return err
}

// copy sends every event of one set so many times, a year later each time. A
// partition's order stays; partitions differ in how far they are.
func (l *lab) copy(ctx context.Context, from, to *set) error {
	var failed error
	p, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{Linger: 20 * time.Millisecond, OnDelivery: func(d kafka.Delivery) {
		failed = errors.Join(failed, d.Err)
	}})
	if err != nil {
		return err
	}
	var buf []byte
	send := func(partition int32, key []byte) error {
		return p.Produce(ctx, kafka.Record{Topic: to.topics().Events, Partition: partition, Key: key, Value: buf}, 0)
	}
	for n := range to.copies {
		if err := l.read(ctx, from, func(partition int32, r *event.Record) error {
			if r.Kind != event.KindEvent {
				if n < to.copies-1 {
					return nil
				}
				buf = event.AppendPunctuationJSON(buf[:0], &r.Punctuation)
				return send(partition, nil)
			}
			e := r.Event
			e.Seq += uint64(n) * uint64(from.events)
			e.Time += int64(n) * year
			buf = event.AppendJSON(buf[:0], &e)
			return send(partition, e.Key)
		}); err != nil {
			p.Close()
			return err
		}
	}
	err = p.Flush(ctx)
	p.Close()
	return errors.Join(err, failed)
}

// read hands every record of a set to fn, each partition in its order.
func (l *lab) read(ctx context.Context, s *set, fn func(partition int32, r *event.Record) error) error {
	var ranges []kafka.Range
	for p, end := range s.ends {
		ranges = append(ranges, kafka.Range{Topic: s.topics().Events, Partition: int32(p), To: end})
	}
	var r event.Record
	return kafka.ReadTo(ctx, l.kafka, kafka.ReaderConfig{}, ranges, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			if err := r.Decode(b.Value(i)); err != nil {
				return fmt.Errorf("cannot read topic %q, partition %d, offset %d: %w", b.Topic, b.Partition, b.Offsets[i], err)
			}
			if err := fn(b.Partition, &r); err != nil {
				return err
			}
		}
		return nil
	})
}

// drop removes topics that exist, and waits until they are gone.
func (l *lab) drop(topics ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, name := range topics {
		if _, err := l.admin.Topic(ctx, name); errors.Is(err, kafka.ErrNoTopic) {
			continue
		}
		if err := l.admin.DeleteTopic(ctx, name); err != nil {
			return err
		}
		for {
			if _, err := l.admin.Topic(ctx, name); errors.Is(err, kafka.ErrNoTopic) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("cannot delete topic %q: it is still there after %s", name, patience)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}
