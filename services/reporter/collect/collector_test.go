package collect_test

import (
	"errors"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/kafka"
	"parallax.example/internal/result"
	"parallax.example/services/reporter/collect"
	"parallax.example/services/reporter/compare"
)

// On Apache Kafka a transaction's marker may reach the results after the
// committed offset can be seen. Whoever then reads only to the last stable
// offset misses the last rows, and calls a healthy run unexplained.
func TestCatchUpWaitsForTheOpenTransaction(t *testing.T) {
	config, topics, admin := kafkaFor(t)
	f := views(t)
	k, err := collect.Start(t.Context(), collect.Config{Kafka: config, Topics: topics, Views: f, Group: "g", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}

	txn, err := kafka.NewTxn(config, kafka.TxnConfig{ID: "late-marker"})
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Close()
	if err := txn.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := txn.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := txn.Produce(kafka.Record{Topic: topics.Results, Partition: 1, Value: row(f, result.Final, 1, 7).Append(nil)}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		offsets, err := admin.Offsets(t.Context(), topics.Results, []int32{1})
		if err != nil {
			t.Fatal(err)
		}
		if offsets[0].High > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the record did not reach the log")
		}
	}

	type caught struct {
		stream compare.Stream
		err    error
	}
	done := make(chan caught, 1)
	go func() { // nothing of the input is asked for: the commits are there already
		stream, _, err := k.CatchUp(t.Context(), map[int32]int64{}, 20*time.Second)
		done <- caught{stream, err}
	}()
	select {
	case c := <-done:
		t.Fatalf("it did not wait for the transaction: %d final rows, %v", len(c.stream.Final), c.err)
	case <-time.After(time.Second):
	}
	if err := txn.Commit(); err != nil {
		t.Fatal(err)
	}
	if c := <-done; c.err != nil || len(c.stream.Final) != 1 {
		t.Errorf("%d final rows, %v", len(c.stream.Final), c.err)
	}
}

// A rebuild that begins while somebody collects writes rows of a view that is not
// asked for. The collecting ended there, with a refusal.
func TestARebuildBeginsWhileCollecting(t *testing.T) {
	config, topics, _ := kafkaFor(t)
	f := views(t)
	k, err := collect.Start(t.Context(), collect.Config{Kafka: config, Topics: topics, Views: f, Group: "g", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	await := func(what string, done func(collect.Snapshot) bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !done(k.Snapshot()); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come: %+v", what, k.Snapshot())
			}
		}
	}
	other := row(f, result.Early, 1, 7)
	other.View = []byte(otherHourly)
	send(t, config, topics.Results, other.Append(nil))
	await("the doubt", func(s collect.Snapshot) bool { return s.Err != nil })
	refused(t, k.Snapshot().Err, otherHourly)
	send(t, config, topics.Markers, []byte(`{"kind":"view-rebuilding","view":"`+otherHourly+`","partition":1,"offset":5}`))
	await("the marker", func(s collect.Snapshot) bool { return s.Err == nil })
	send(t, config, topics.Results, row(f, result.Final, 1, 7).Append(nil))
	stream, _, err := k.CatchUp(t.Context(), map[int32]int64{}, 20*time.Second)
	if err != nil || len(stream.Final) != 1 || len(stream.Faults) != 0 {
		t.Errorf("%d final rows, %+v, %v", len(stream.Final), stream.Faults, err)
	}
}

// A view that nothing explains is refused when the verdict is asked.
func TestCatchUpRefusesAnUnknownView(t *testing.T) {
	config, topics, _ := kafkaFor(t)
	f := views(t)
	k, err := collect.Start(t.Context(), collect.Config{Kafka: config, Topics: topics, Views: f, Group: "g", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	other := row(f, result.Final, 1, 7)
	other.View = []byte(otherHourly)
	send(t, config, topics.Results, other.Append(nil))
	_, _, err = k.CatchUp(t.Context(), map[int32]int64{}, 20*time.Second)
	refused(t, err, otherHourly)
}

// send brings one record into the log.
func send(t *testing.T, config kafka.Config, topic string, value []byte) {
	t.Helper()
	s, err := kafka.NewSender(config, kafka.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	records := kafka.Records{Topics: []string{topic}}
	records.Add(0, nil, value)
	if err := errors.Join(s.ProduceAll(&records), s.Flush()); err != nil {
		t.Fatal(err)
	}
}

// kafkaFor starts a broker with the topics of two partitions.
func kafkaFor(t *testing.T) (config kafka.Config, topics kafka.Topics, admin *kafka.Admin) {
	t.Helper()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	config = kafka.Config{Brokers: b.Addr()}
	topics = kafka.NewTopics("parallax")
	admin, err = kafka.NewAdmin(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	if err := admin.EnsureTopics(t.Context(), topics.Specs(2, 1)); err != nil {
		t.Fatal(err)
	}
	return config, topics, admin
}
