//go:build ignore

// The plain loop on franz-go: polls of many records, one transaction per commit
// interval with the rows and the offsets.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"parallax.example/bench/peers/loop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, loop.Parse()); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o loop.Options) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(o.Brokers), kgo.ConsumerGroup(o.Group), kgo.ConsumeTopics(o.Input),
		kgo.TransactionalID(o.Group), kgo.RequireStableFetchOffsets(), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(64<<20), kgo.FetchMaxWait(50*time.Millisecond),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.MaxBufferedRecords(2_000_000),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		return err
	}
	defer session.Close()

	states := map[int32]*loop.State{}
	var failed error
	for ctx.Err() == nil {
		if err := session.Begin(); err != nil {
			return err
		}
		for end := time.Now().Add(o.Commit); ; {
			wait, cancel := context.WithDeadline(ctx, end)
			fetches := session.PollFetches(wait)
			cancel()
			for _, e := range fetches.Errors() {
				if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
					return e.Err
				}
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if states[r.Partition] == nil {
					states[r.Partition] = loop.New(o)
				}
				failed = errors.Join(failed, states[r.Partition].Add(r.Value))
			})
			if !time.Now().Before(end) || ctx.Err() != nil {
				break
			}
		}
		for p, s := range states {
			_ = s.Flush(func(key string, row []byte) error {
				session.Produce(ctx, &kgo.Record{Topic: o.Output, Partition: p, Key: []byte(key), Value: append([]byte(nil), row...)}, nil)
				return nil
			})
		}
		if failed != nil {
			return failed
		}
		committed, err := session.End(ctx, kgo.TryCommit)
		if err != nil {
			return err
		}
		if !committed {
			return errors.New("a transaction was aborted; this loop keeps no state to go back to")
		}
	}
	return nil
}
