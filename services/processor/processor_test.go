package processor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
	"parallax.example/services/processor"
)

const views = `
time: {believed: {count: 8, of: 64}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 1h}
  - {name: six-hours, window: {hopping: 6h, every: 1h}, lateness: 1h}
`

const partitions = 4

// set up a broker with topics, and a configuration for it.
func setUp(tb testing.TB) processor.Config {
	tb.Helper()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	a, err := kafka.NewAdmin(kafka.Config{Brokers: b.Addr()})
	if err != nil {
		tb.Fatal(err)
	}
	defer a.Close()
	if err := a.EnsureTopics(tb.Context(), kafka.NewTopics("parallax").Specs(partitions, 1)); err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "views.yaml")
	if err := os.WriteFile(file, []byte(views), 0o600); err != nil {
		tb.Fatal(err)
	}
	return processor.Config{
		Brokers: b.Addr(), TopicPrefix: "parallax", Views: file, Group: "parallax-processor", Instance: "slot-0",
		Buffer: 16, SessionTimeout: 6 * time.Second, RestoreStall: 10 * time.Second,
	}
}

// fill sends n events.
func fill(tb testing.TB, brokers string, n int) {
	tb.Helper()
	p, err := kafka.NewProducer(kafka.Config{Brokers: brokers}, kafka.ProducerConfig{Linger: 5 * time.Millisecond})
	if err != nil {
		tb.Fatal(err)
	}
	defer p.Close()
	var value []byte
	for i := range n {
		value = event.AppendProto(value[:0], &event.Event{
			Producer: []byte("flights"), Seq: uint64(i), HasID: true, Key: fmt.Appendf(nil, "K%02d", i%32),
			Time: 992_000_000_000_000 + int64(i)*5_000_000, Value: int64(i%90) - 15,
		})
		if err := p.Produce(tb.Context(), kafka.Record{Topic: "parallax.events", Partition: int32(i % partitions), Value: value}, 0); err != nil {
			tb.Fatal(err)
		}
	}
	if err := p.Flush(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// process runs p until it has taken n records in, then calls then and stops it.
func process(tb testing.TB, p *processor.Processor, n int, then func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	taken := 0
	for end := time.Now().Add(time.Minute); taken < n; time.Sleep(time.Millisecond) {
		taken = 0
		for _, c := range p.Counts() {
			taken += int(c.Offset)
		}
		select {
		case err := <-done:
			tb.Fatalf("the processor ended by itself: %v", err)
		default:
		}
		if time.Now().After(end) {
			tb.Fatalf("only %d of %d records were taken in", taken, n)
		}
	}
	then()
	cancel()
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
}

func TestProcessorServesMetrics(t *testing.T) {
	c := setUp(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Metrics = l.Addr().String()
	l.Close()
	fill(t, c.Brokers, 1000)
	p, err := processor.New(c, processor.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	process(t, p, 1000, func() {
		answer, err := http.Get("http://" + c.Metrics + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`parallax_processor_records_total{outcome="valid",partition="3"} 250`,
			`parallax_processor_offset{partition="0"} 250`,
			`parallax_processor_owned{partition="1"} 1`,
			`parallax_processor_transactions_total{outcome="rolled-back",partition="2"} 0`,
			`parallax_processor_lag_records{partition="1"} 0`,
			`parallax_processor_watermark_age_seconds{partition="0"} `,
			`parallax_processor_open_cells{partition="3",view="hourly@`,
			`parallax_processor_open_windows{partition="3",view="hourly@`,
			`parallax_processor_keys{partition="0"} 8`,
			`parallax_processor_producers{partition="2"} 1`,
			`parallax_processor_state_bytes{partition="2"} `,
			`parallax_processor_commit_seconds_bucket{partition="1",le="10"} `,
			`parallax_processor_commit_seconds_count{partition="1"} `,
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("no %s in:\n%s", want, text)
			}
		}
	})
}

// What a refusal tells to type is what helps.
func TestChangedViews(t *testing.T) {
	c := setUp(t)
	fill(t, c.Brokers, 1000)
	run := func(n int) error {
		p, err := processor.New(c, processor.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return p.Run(t.Context())
		}
		process(t, p, n, func() {})
		return nil
	}
	change := processor.ChangeConfig{
		View: []string{"hourly"}, Brokers: c.Brokers, TopicPrefix: c.TopicPrefix, Views: c.Views, Group: c.Group, Instance: c.Instance,
		SessionTimeout: c.SessionTimeout, RestoreStall: c.RestoreStall,
	}
	if faults := change.Validate(); len(faults) > 0 {
		t.Errorf("a good configuration: %v", faults)
	}
	if faults := new(processor.ChangeConfig).Validate(); len(faults) < 6 {
		t.Errorf("an empty one: %v", faults)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(run(1000))
	for _, lateness := range []string{"2h", "3h"} {
		must(os.WriteFile(c.Views, []byte(strings.Replace(views, "lateness: 1h", "lateness: "+lateness, 1)), 0o600))
		if err := run(0); err == nil || !strings.Contains(err.Error(), "`parallax processor reset --view hourly`") {
			t.Fatalf("with other views it ends with: %v", err)
		}
		if lateness == "2h" {
			must(processor.Reset(t.Context(), change, slog.New(slog.DiscardHandler)))
		} else {
			heard := int64(0)
			must(processor.Rebuild(t.Context(), change, slog.New(slog.DiscardHandler), func(done, _ int64) { heard = done }))
			if heard != 1000 {
				t.Errorf("it told of %d records", heard)
			}
		}
		must(run(1000))
	}
}

func TestNewRefuses(t *testing.T) {
	c := setUp(t)
	wrong := c
	wrong.Views = filepath.Join(t.TempDir(), "none.yaml")
	if _, err := processor.New(wrong, processor.Deps{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing views: %v", err)
	}
	if err := os.WriteFile(wrong.Views, []byte("views: 7\ntime: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var faults view.Faults
	if _, err := processor.New(wrong, processor.Deps{}); !errors.As(err, &faults) || len(faults) < 2 {
		t.Errorf("wrong views: %v", err)
	}
	wrong = processor.Config{}
	if got := wrong.Validate(); len(got) < 5 {
		t.Errorf("an empty configuration has %d faults: %v", len(got), got)
	}
	if got := c.Validate(); len(got) > 0 {
		t.Errorf("a good one: %v", got)
	}
}

// BenchmarkExactlyOnce is the whole way of an event: consume, judge, fold,
// produce rows and changelog, commit each 100 ms. The embedded broker works in
// the same process, so its share is in the figures.
func BenchmarkExactlyOnce(b *testing.B) {
	c := setUp(b)
	fill(b, c.Brokers, b.N)
	p, err := processor.New(c, processor.Deps{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	process(b, p, b.N, func() {
		b.StopTimer()
		b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/event")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	var transactions uint64
	for _, n := range p.Counts() {
		transactions += n.Transactions
	}
	b.ReportMetric(float64(transactions), "transactions")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: getrusage: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
