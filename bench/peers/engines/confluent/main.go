//go:build ignore

// The plain loop on confluent-kafka-go: Poll message by message, one transaction
// per commit interval with the rows and the offsets.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"parallax.example/bench/peers/loop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, loop.Parse()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o loop.Options) error {
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": o.Brokers, "group.id": o.Group, "auto.offset.reset": "earliest",
		"enable.auto.commit": false, "isolation.level": "read_committed",
		// The default of a second lets a full queue stall the fetches.
		"fetch.queue.backoff.ms": 5, "queued.min.messages": 1_000_000, "queued.max.messages.kbytes": 256 << 10,
		"fetch.message.max.bytes": 8 << 20, "fetch.wait.max.ms": 50,
	})
	if err != nil {
		return err
	}
	defer consumer.Close()
	producer, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": o.Brokers, "transactional.id": o.Group, "compression.type": "lz4", "linger.ms": 5,
		"batch.num.messages": 100_000, "queue.buffering.max.messages": 2_000_000, "go.delivery.reports": false,
		// The markers of the last transaction may still be on their way: ask soon again.
		"retry.backoff.ms": 2, "retry.backoff.max.ms": 5,
	})
	if err != nil {
		return err
	}
	defer producer.Close()
	go func() {
		for range producer.Events() { // a failed record fails its commit
		}
	}()
	if err := producer.InitTransactions(ctx); err != nil {
		return err
	}
	if err := consumer.Subscribe(o.Input, nil); err != nil {
		return err
	}

	states := map[int32]*loop.State{}
	next := map[int32]kafka.Offset{}
	commit := func() error {
		if len(next) == 0 {
			return nil
		}
		if err := producer.BeginTransaction(); err != nil {
			return err
		}
		var offsets []kafka.TopicPartition
		for p, offset := range next {
			if err := states[p].Flush(func(key string, row []byte) error {
				return producer.Produce(&kafka.Message{
					TopicPartition: kafka.TopicPartition{Topic: &o.Output, Partition: p}, Key: []byte(key), Value: row,
				}, nil)
			}); err != nil {
				return err
			}
			offsets = append(offsets, kafka.TopicPartition{Topic: &o.Input, Partition: p, Offset: offset})
		}
		member, err := consumer.GetConsumerGroupMetadata()
		if err != nil {
			return err
		}
		if err := producer.SendOffsetsToTransaction(ctx, offsets, member); err != nil {
			return err
		}
		clear(next)
		return producer.CommitTransaction(ctx)
	}
	for last := time.Now(); ctx.Err() == nil; {
		switch e := consumer.Poll(5).(type) {
		case *kafka.Message:
			if e.TopicPartition.Error != nil {
				return e.TopicPartition.Error
			}
			p := e.TopicPartition.Partition
			if states[p] == nil {
				states[p] = loop.New(o)
			}
			if err := states[p].Add(e.Value); err != nil {
				return err
			}
			next[p] = e.TopicPartition.Offset + 1
		case kafka.Error:
			if e.IsFatal() {
				return e
			}
		}
		if now := time.Now(); now.Sub(last) >= o.Commit {
			if err := commit(); err != nil && ctx.Err() == nil {
				return err
			}
			last = time.Now()
		}
	}
	return nil
}
