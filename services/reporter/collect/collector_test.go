package collect_test

import (
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
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	config := kafka.Config{Brokers: b.Addr()}
	topics := kafka.NewTopics("parallax")
	admin, err := kafka.NewAdmin(config)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.EnsureTopics(t.Context(), topics.Specs(2, 1)); err != nil {
		t.Fatal(err)
	}
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
