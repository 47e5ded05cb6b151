package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/kafka"
)

const patience = 20 * time.Second

// start runs a broker for one test and returns how to reach it.
func start(t *testing.T) kafka.Config {
	t.Helper()
	t.Parallel() // the tests wait more than they work
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	c := kafka.Config{Brokers: b.Addr(), ClientID: "test"}
	if os.Getenv("KAFKA_TEST_LOG") != "" {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return c
}

// topic makes a topic.
func topic(t *testing.T, c kafka.Config, name string, partitions int) string {
	t.Helper()
	a := admin(t, c)
	if err := a.EnsureTopics(t.Context(), []kafka.TopicSpec{{Name: name, Partitions: partitions, Replication: 1}}); err != nil {
		t.Fatal(err)
	}
	return name
}

func admin(t *testing.T, c kafka.Config) *kafka.Admin {
	t.Helper()
	a, err := kafka.NewAdmin(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// send writes values to a partition and waits until they are in the log.
func send(t *testing.T, c kafka.Config, topic string, partition int32, values ...string) {
	t.Helper()
	var failed error
	p, err := kafka.NewProducer(c, kafka.ProducerConfig{OnDelivery: func(d kafka.Delivery) { failed = errors.Join(failed, d.Err) }})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if err := p.Produce(t.Context(), kafka.Record{Topic: topic, Partition: partition, Value: []byte(v)}, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if failed != nil {
		t.Fatal(failed)
	}
}

// visible returns what a reader of committed records sees of a partition now.
func visible(t *testing.T, c kafka.Config, topic string, partition int32) []string {
	t.Helper()
	o, err := admin(t, c).Offsets(t.Context(), topic, []int32{partition})
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	err = kafka.ReadTo(t.Context(), c, kafka.ReaderConfig{},
		[]kafka.Range{{Topic: topic, Partition: partition, From: 0, To: o[0].Stable}}, patience,
		func(b *kafka.Batch) error {
			for i := range b.Len() {
				values = append(values, string(b.Value(i)))
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func txn(t *testing.T, c kafka.Config, id string) *kafka.Txn {
	t.Helper()
	x, err := kafka.NewTxn(c, kafka.TxnConfig{ID: id, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// ready is a producer with its id taken.
func ready(t *testing.T, c kafka.Config, id string) *kafka.Txn {
	t.Helper()
	x := txn(t, c, id)
	if err := x.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%q", got), fmt.Sprintf("%q", want); g != w {
		t.Fatalf("%s: got %s, want %s", what, g, w)
	}
}

func TestEnsureTopicsTwice(t *testing.T) {
	c := start(t)
	a := admin(t, c)
	specs := kafka.NewTopics("demo").Specs(4, 1)
	must(t, a.EnsureTopics(t.Context(), specs))
	first, err := a.Topic(t.Context(), "demo.events")
	must(t, err)
	must(t, a.EnsureTopics(t.Context(), specs))
	second, err := a.Topic(t.Context(), "demo.events")
	must(t, err)
	if first != second || first.Partitions != 4 || first.ID == "" || strings.HasPrefix(first.ID, "AAAAAAAAAAAA") {
		t.Errorf("topic changed or has no identity: %+v, then %+v", first, second)
	}
	specs[0].Partitions = 5
	err = a.EnsureTopics(t.Context(), specs)
	if err == nil || !strings.Contains(err.Error(), "has 4 partitions, 5 are configured") {
		t.Errorf("another partition count: %v", err)
	}
	if _, err := a.Topic(t.Context(), "nobody"); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("unknown topic: %v", err)
	}
}

func TestUnreachableBroker(t *testing.T) {
	a := admin(t, kafka.Config{Brokers: "127.0.0.1:1"})
	began := time.Now()
	for what, err := range map[string]error{
		"ping":   a.Ping(t.Context()),
		"ensure": a.EnsureTopics(t.Context(), kafka.NewTopics("x").Specs(1, 1)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), `cannot reach Kafka at "127.0.0.1:1": `) ||
			!strings.HasSuffix(err.Error(), "is the broker running?") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if _, err := kafka.NewAdmin(kafka.Config{}); err == nil {
		t.Error("no address at all was accepted")
	}
}

func TestProducerDeliversInOrder(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 2)
	const n = 20_000
	var numbers [2][]uint64
	var offsets [2][]int64
	p, err := kafka.NewProducer(c, kafka.ProducerConfig{Linger: time.Millisecond, OnDelivery: func(d kafka.Delivery) {
		if d.Err != nil {
			t.Error(d.Err)
		}
		numbers[d.Partition] = append(numbers[d.Partition], d.Number)
		offsets[d.Partition] = append(offsets[d.Partition], d.Offset)
	}})
	must(t, err)
	for i := range uint64(n) {
		must(t, p.Produce(t.Context(), kafka.Record{Topic: events, Partition: int32(i % 2), Timestamp: 1_000_000 + int64(i), Key: []byte("k"), Value: fmt.Append(nil, i)}, i))
	}
	must(t, p.Flush(t.Context()))
	p.Close()
	for part := range 2 {
		if len(numbers[part]) != n/2 {
			t.Fatalf("partition %d: %d deliveries, want %d", part, len(numbers[part]), n/2)
		}
		for i := range numbers[part] {
			if numbers[part][i] != uint64(2*i+part) || offsets[part][i] != int64(i) {
				t.Fatalf("partition %d: delivery %d is number %d at offset %d", part, i, numbers[part][i], offsets[part][i])
			}
		}
	}
	// The same from the other side, with keys and explicit timestamps.
	var next [2]int64
	must(t, kafka.ReadTo(t.Context(), c, kafka.ReaderConfig{Keys: true, MaxRecords: 777},
		[]kafka.Range{{events, 0, 0, n / 2}, {events, 1, 100, 200}}, patience, func(b *kafka.Batch) error {
			for i := range b.Len() {
				at := b.Offsets[i]
				if b.Partition == 1 && next[1] == 0 {
					next[1] = 100
				}
				number := 2*at + int64(b.Partition)
				if at != next[b.Partition] || string(b.Value(i)) != fmt.Sprint(number) || string(b.Key(i)) != "k" || b.Timestamps[i] != 1_000_000+number {
					t.Fatalf("partition %d, offset %d: value %q, key %q, timestamp %d", b.Partition, at, b.Value(i), b.Key(i), b.Timestamps[i])
				}
				next[b.Partition] = at + 1
			}
			return nil
		}))
	if next != [2]int64{n / 2, 200} {
		t.Errorf("read up to %v", next)
	}
}

func TestProducerToNowhereReports(t *testing.T) {
	c := start(t)
	got := make(chan kafka.Delivery, 1)
	p, err := kafka.NewProducer(c, kafka.ProducerConfig{OnDelivery: func(d kafka.Delivery) { got <- d }})
	must(t, err)
	err = p.Produce(t.Context(), kafka.Record{Topic: "no.such.topic", Value: []byte("x")}, 7)
	p.Close()
	if err == nil {
		d := <-got
		if d.Err == nil || d.Number != 7 {
			t.Errorf("delivery %+v", d)
		}
	}
}

func TestOversizeIsRefusedAtOnce(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 1)
	big := kafka.Record{Topic: events, Value: make([]byte, 1_000_000)}
	var tooLarge *kafka.TooLargeError

	p, err := kafka.NewProducer(c, kafka.ProducerConfig{})
	must(t, err)
	defer p.Close()
	if err := p.Produce(t.Context(), big, 0); !errors.As(err, &tooLarge) {
		t.Errorf("producer: %v", err)
	}
	x := ready(t, c, "big")
	must(t, x.Begin(), x.Produce(kafka.Record{Topic: events, Value: []byte("small")}))
	err = x.Produce(big)
	if !errors.As(err, &tooLarge) || kafka.Classify(err) != kafka.Abort {
		t.Errorf("transaction: %v is %v", err, kafka.Classify(err))
	}
	if err := x.Commit(); kafka.Classify(err) != kafka.Abort {
		t.Errorf("an incomplete transaction was committed: %v", err)
	}
	must(t, x.Abort(), x.Begin(), x.Produce(kafka.Record{Topic: events, Value: []byte("after")}), x.Commit())
	equal(t, "visible", visible(t, c, events, 0), []string{"after"})
	// The largest that is accepted is really taken by the broker.
	must(t, x.Begin(), x.Produce(kafka.Record{Topic: events, Value: make([]byte, 1_000_000-512)}), x.Commit())
}

func TestReaderRefusesLostOffsets(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 1)
	send(t, c, events, 0, "a", "b")
	eachPath(t, func(t *testing.T, path kafka.FetchPath) { readerRefusesLostOffsets(t, c, events, path) })
}

func readerRefusesLostOffsets(t *testing.T, c kafka.Config, events string, path kafka.FetchPath) {
	r, err := kafka.NewReader(c, kafka.ReaderConfig{Fetch: path}, kafka.Start{Topic: events, Offset: 1000})
	must(t, err)
	defer r.Close()
	for end := time.Now().Add(patience); ; {
		batches, err := r.Poll(100 * time.Millisecond)
		if err != nil {
			if !strings.Contains(err.Error(), "gone from the log") {
				t.Error(err)
			}
			return
		}
		for _, b := range batches {
			if b.Len() > 0 {
				t.Fatal("read records although the offset does not exist")
			}
		}
		if time.Now().After(end) {
			t.Fatal("no error for an offset out of range")
		}
	}
}

func TestReadToStalls(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 1)
	send(t, c, events, 0, "a")
	err := kafka.ReadTo(t.Context(), c, kafka.ReaderConfig{}, []kafka.Range{{events, 0, 0, 5}}, 300*time.Millisecond, func(*kafka.Batch) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "nothing came after offset 1") {
		t.Errorf("an end that never comes: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := kafka.ReadTo(ctx, c, kafka.ReaderConfig{}, []kafka.Range{{events, 0, 0, 5}}, patience, func(*kafka.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Large records must not make a poll large: its memory is the reader's for good.
func TestPollIsBoundedInBytes(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 1)
	const n, size, bound = 60, 900_000, 16 << 20
	values := make([]string, n)
	for i := range values {
		values[i] = strings.Repeat("x", size)
	}
	send(t, c, events, 0, values...)
	eachPath(t, func(t *testing.T, path kafka.FetchPath) { pollIsBounded(t, c, events, path, n, bound, size) })
}

func pollIsBounded(t *testing.T, c kafka.Config, events string, path kafka.FetchPath, n, bound, size int) {
	r, err := kafka.NewReader(c, kafka.ReaderConfig{Fetch: path, FetchQueue: 64 << 20}, kafka.Start{Topic: events})
	must(t, err)
	defer r.Close()
	read := 0
	for end := time.Now().Add(patience); read < n; {
		batches, err := r.Poll(100 * time.Millisecond)
		must(t, err)
		for _, b := range batches {
			read += b.Len()
			if len(b.Data) > bound+size {
				t.Fatalf("a poll of %d records has %d bytes", b.Len(), len(b.Data))
			}
		}
		if time.Now().After(end) {
			t.Fatalf("read only %d of %d records", read, n)
		}
	}
}
