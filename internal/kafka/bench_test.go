package kafka_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/kafka"
)

// Client and embedded broker share the process, so the figures hold both.

func BenchmarkProduce(b *testing.B) {
	c, events := benchBroker(b)
	value := make([]byte, 60)
	var failed error
	p, err := kafka.NewProducer(c, kafka.ProducerConfig{Linger: 5 * time.Millisecond, OnDelivery: func(d kafka.Delivery) {
		if d.Err != nil {
			failed = d.Err
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	report := begin(b)
	for i := range b.N {
		if err := p.Produce(b.Context(), kafka.Record{Topic: events, Partition: int32(i % 4), Timestamp: 1_700_000_000_000, Key: value[:3], Value: value}, uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	report()
	p.Close()
	if failed != nil {
		b.Fatal(failed)
	}
}

func BenchmarkConsume(b *testing.B) {
	for _, path := range []kafka.FetchPath{kafka.FetchPoll, kafka.FetchBatch} {
		b.Run(path.String(), func(b *testing.B) { benchConsume(b, path) })
	}
}

func benchConsume(b *testing.B, path kafka.FetchPath) {
	c, events := benchBroker(b)
	p, err := kafka.NewProducer(c, kafka.ProducerConfig{Linger: 5 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 60)
	for i := range b.N {
		if err := p.Produce(b.Context(), kafka.Record{Topic: events, Partition: int32(i % 4), Value: value}, 0); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	p.Close()
	var ranges []kafka.Range
	for i := range int32(4) {
		ranges = append(ranges, kafka.Range{Topic: events, Partition: i, To: int64(b.N-int(i)+3) / 4})
	}
	n := 0
	report := begin(b)
	err = kafka.ReadTo(b.Context(), c, kafka.ReaderConfig{Fetch: path}, ranges, patience, func(batch *kafka.Batch) error { n += batch.Len(); return nil })
	report()
	if err != nil || n != b.N {
		b.Fatalf("%d of %d records read: %v", n, b.N, err)
	}
}

// BenchmarkTransactional adds records to transactions of 5000, each way.
func BenchmarkTransactional(b *testing.B) {
	const size = 5000
	value := make([]byte, 60)
	run := func(name string, add func(x *kafka.Txn, topic string, n int) error) {
		b.Run(name, func(b *testing.B) {
			c, out := benchBroker(b)
			x, err := kafka.NewTxn(c, kafka.TxnConfig{ID: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			if err := x.Init(b.Context()); err != nil {
				b.Fatal(err)
			}
			report := begin(b)
			for done := 0; done < b.N; done += size {
				if err := errors.Join(x.Begin(), add(x, out, min(size, b.N-done)), x.Commit()); err != nil {
					b.Fatal(err)
				}
			}
			report()
		})
	}
	run("one", func(x *kafka.Txn, topic string, n int) (err error) {
		for i := 0; i < n && err == nil; i++ {
			err = x.Produce(kafka.Record{Topic: topic, Key: value[:3], Value: value})
		}
		return err
	})
	var list kafka.Records
	run("all", func(x *kafka.Txn, topic string, n int) error {
		list.Reset()
		list.Topics = []string{topic}
		for range n {
			list.Add(0, value[:3], value)
		}
		return x.ProduceAll(&list)
	})
}

// BenchmarkTransaction is one transaction of one record: its fixed costs.
func BenchmarkTransaction(b *testing.B) {
	c, out := benchBroker(b)
	x, err := kafka.NewTxn(c, kafka.TxnConfig{ID: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	if err := x.Init(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, step := range []func() error{x.Begin, func() error { return x.Produce(kafka.Record{Topic: out, Value: []byte("x")}) }, x.Commit} {
			if err := step(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func benchBroker(b *testing.B) (kafka.Config, string) {
	br, err := broker.Start(broker.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(br.Close)
	c := kafka.Config{Brokers: br.Addr()}
	a, err := kafka.NewAdmin(c)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	if err := a.EnsureTopics(b.Context(), []kafka.TopicSpec{{Name: "bench", Partitions: 4, Replication: 1}}); err != nil {
		b.Fatal(err)
	}
	return c, "bench"
}

// begin starts the clocks; what it returns stops them.
func begin(b *testing.B) (report func()) {
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	return func() {
		b.StopTimer()
		b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/event")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: getrusage: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
