package processor_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/result"
	"parallax.example/services/processor"
)

const everySecond = `
time: {believed: {count: 1, of: 1}}
views:
  - {name: seconds, window: {tumbling: 1s}, lateness: 0s}
`

// BenchmarkLatency is the time from the scheduled send of an event to the moment
// at which a reader of committed records has the row: the final row of a window
// that the event closed, and any row that it changed. 20,000 events/s, 400 cells.
// Sender, broker, processor and reader share the process and the machine.
//
//	go test -run '^$' -bench Latency -benchtime 200000x .
func BenchmarkLatency(b *testing.B) {
	for _, profile := range []string{"latency", "balanced"} {
		b.Run(profile, func(b *testing.B) {
			c := setUp(b)
			c.Profile = profile
			if err := os.WriteFile(c.Views, []byte(everySecond), 0o600); err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			p, err := processor.New(c, processor.Deps{})
			if err != nil {
				b.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- p.Run(ctx) }()
			for owned := 0; owned < partitions; time.Sleep(time.Millisecond) {
				owned = len(p.Counts())
			}
			read := make(chan [2][]int64, 1)
			reading, stop := context.WithCancel(ctx)
			go func() { read <- latencies(reading, b, c.Brokers) }()
			before := cpu()
			pace(b, c.Brokers, b.N, 20_000)
			spent := cpu() - before
			time.Sleep(300 * time.Millisecond) // for the last rows; not a condition, only less to measure
			stop()
			ages := <-read
			for i, name := range []string{"final", "update"} {
				slices.Sort(ages[i])
				for _, percent := range []int{50, 99} {
					if len(ages[i]) == 0 {
						break // the trial run with one event
					}
					b.ReportMetric(float64(ages[i][(len(ages[i])-1)*percent/100]), fmt.Sprintf("%s-p%d-ms", name, percent))
				}
			}
			b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/event")
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// pace sends n events at a rate, each stamped with the time at which it was due.
func pace(tb testing.TB, brokers string, n, rate int) {
	tb.Helper()
	p, err := kafka.NewProducer(kafka.Config{Brokers: brokers}, kafka.ProducerConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	defer p.Close()
	var value []byte
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		value = event.AppendProto(value[:0], &event.Event{
			Producer: []byte("p"), Seq: uint64(i), HasID: true, Key: fmt.Appendf(nil, "K%02d", i/partitions%100),
			Time: due.UnixMicro(), Value: int64(i),
		})
		record := kafka.Record{Topic: "parallax.events", Partition: int32(i % partitions), Timestamp: due.UnixMilli(), Value: value}
		if err := p.Produce(tb.Context(), record, 0); err != nil {
			tb.Fatal(err)
		}
	}
	if err := p.Flush(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// latencies reads the results until ctx ends, and returns the ages in ms of the
// final rows and of the others.
func latencies(ctx context.Context, tb testing.TB, brokers string) (ages [2][]int64) {
	var starts []kafka.Start
	for p := range int32(partitions) {
		starts = append(starts, kafka.Start{Topic: "parallax.results", Partition: p})
	}
	r, err := kafka.NewReader(kafka.Config{Brokers: brokers}, kafka.ReaderConfig{}, starts...)
	if err != nil {
		tb.Error(err)
		return ages
	}
	defer r.Close()
	warm := time.Now().Add(2 * time.Second)
	for ctx.Err() == nil {
		batches, err := r.Poll(20 * time.Millisecond)
		if err != nil {
			tb.Error(err)
			return ages
		}
		if time.Now().Before(warm) {
			continue
		}
		now := time.Now().UnixMilli()
		for _, b := range batches {
			for i := range b.Len() {
				var row result.Result
				if err := row.Decode(b.Value(i)); err != nil {
					tb.Error(err)
					return ages
				}
				kind := 0
				if row.Stage != result.Final {
					kind = 1
				}
				ages[kind] = append(ages[kind], now-row.Place.Scheduled)
			}
		}
	}
	return ages
}
