package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"parallax.example/internal/kafka"
)

func timeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// newTopics makes the topics of a prefix.
func newTopics(prefix string) (kafka.Config, error) {
	addr, err := theBroker()
	if err != nil {
		return kafka.Config{}, err
	}
	c := kafka.Config{Brokers: addr, ClientID: "bench"}
	a, err := kafka.NewAdmin(c)
	if err != nil {
		return c, err
	}
	defer a.Close()
	ctx, cancel := timeout()
	defer cancel()
	return c, a.EnsureTopics(ctx, kafka.NewTopics(prefix).Specs(partitions, 1))
}

// dropTopics frees the broker's memory.
func dropTopics(b *testing.B, c kafka.Config, prefix string) {
	b.Helper()
	a, err := kafka.NewAdmin(c)
	must(b, err)
	defer a.Close()
	for _, t := range kafka.NewTopics(prefix).Specs(partitions, 1) {
		must(b, a.DeleteTopic(b.Context(), t.Name))
	}
}

var prefixes atomic.Int64

// newPrefix is one that no topics have.
func newPrefix() string { return fmt.Sprint("bench", prefixes.Add(1)) }

// ranges are the events of a prefix up to the ends.
func ranges(prefix string, ends []int64) []kafka.Range {
	var list []kafka.Range
	for p, end := range ends {
		list = append(list, kafka.Range{Topic: kafka.NewTopics(prefix).Events, Partition: int32(p), To: end})
	}
	return list
}

// fill sends the log to the events topic of a prefix and waits for every
// outcome.
func fill(b *testing.B, c kafka.Config, prefix string, l *log) {
	b.Helper()
	var accepted int
	p, err := kafka.NewProducer(c, kafka.ProducerConfig{Linger: 5 * time.Millisecond, OnDelivery: func(d kafka.Delivery) {
		if d.Err == nil {
			accepted++
		}
	}})
	must(b, err)
	send(b, l, prefix, func(r kafka.Record) error { return p.Produce(b.Context(), r, 0) })
	must(b, p.Flush(b.Context()))
	p.Close()
	if accepted != l.records {
		b.Fatalf("%d of %d records were accepted", accepted, l.records)
	}
}

// send hands the log over, batch by batch.
func send(b *testing.B, l *log, prefix string, produce func(kafka.Record) error) {
	b.Helper()
	events := kafka.NewTopics(prefix).Events
	l.each(func(batch *kafka.Batch) {
		for i, t := range batch.Timestamps {
			must(b, produce(kafka.Record{Topic: events, Partition: batch.Partition, Timestamp: t, Key: batch.Key(i), Value: batch.Value(i)}))
		}
	})
}

// topics by log, filled once for those who only read them.
var topics = map[string]string{}

// topic returns the prefix of a topic that holds a log.
func topic(b *testing.B, name string) (kafka.Config, string) {
	b.Helper()
	prefix, ok := topics[name]
	if !ok {
		prefix = newPrefix()
		topics[name] = prefix
	}
	c, err := newTopics(prefix)
	must(b, err)
	if !ok {
		fill(b, c, prefix, flights(b, name))
	}
	return c, prefix
}

func BenchmarkProduce(b *testing.B) {
	run := func(name string, produce func(*testing.B, kafka.Config, string, *log)) {
		b.Run(name, func(b *testing.B) {
			l := flights(b, "proto")
			m := begin(b)
			for b.Loop() {
				m.pause()
				prefix := newPrefix()
				c, err := newTopics(prefix)
				must(b, err)
				m.resume()
				produce(b, c, prefix, l)
				m.pause()
				dropTopics(b, c, prefix)
				m.resume()
			}
			m.end(b.N * l.events)
		})
	}
	run("idempotent", fill)
	run("transactional", produceInTransactions)
}

func produceInTransactions(b *testing.B, c kafka.Config, prefix string, l *log) {
	b.Helper()
	x, err := kafka.NewTxn(c, kafka.TxnConfig{ID: prefix})
	must(b, err)
	defer x.Close()
	must(b, x.Init(b.Context()))
	n := 0
	send(b, l, prefix, func(r kafka.Record) error {
		if n%batchSize == 0 {
			must(b, x.Begin())
		}
		err := x.Produce(r)
		if n++; err == nil && (n%batchSize == 0 || n == l.records) {
			err = x.Commit()
		}
		return err
	})
}

func BenchmarkConsume(b *testing.B) {
	l := flights(b, "proto")
	c, prefix := topic(b, "proto")
	var ends []int64
	for _, batches := range l.partitions {
		ends = append(ends, batches[len(batches)-1].Next)
	}
	m := begin(b)
	for b.Loop() {
		n := 0
		must(b, kafka.ReadTo(b.Context(), c, kafka.ReaderConfig{}, ranges(prefix, ends), patience, func(batch *kafka.Batch) error {
			n += batch.Len()
			return nil
		}))
		if n != l.records {
			b.Fatalf("%d of %d records were read", n, l.records)
		}
	}
	m.end(b.N * l.events)
}
