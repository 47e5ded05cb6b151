package demo

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/services/reporter/report"
)

// Whoever goes on sending after the data has ended is beyond the cut that the
// demonstration names to the batch, and does not disturb its verdict.
func TestSenderThatGoesOn(t *testing.T) {
	t.Parallel()
	runs := folder(t)
	p := start(t, "demo", "--exit", "--runs", runs, "--speed", "max", "--limit", "20000")
	p.until("a broker's address", func() bool { return exists(runs, "*/page.addr") })
	broker := strings.TrimSpace(read(t, only(t, runs, "*/broker.addr")))

	producer, err := kafka.NewProducer(kafka.Config{Brokers: broker}, kafka.ProducerConfig{OnDelivery: func(kafka.Delivery) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	sent := 0
	for tick := time.Tick(5 * time.Millisecond); !p.ended(); <-tick {
		value := fmt.Sprintf(`{"key":"JFK","subject":"LAX","event_time":"2001-06-11T10:00:00Z","value":%d}`, sent)
		record := kafka.Record{Topic: "parallax.events", Partition: int32(sent % 4), Value: []byte(value)}
		if err := producer.Produce(t.Context(), record, uint64(sent)); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	if got := p.wait(); got != 0 {
		t.Fatalf("exit code %d after %d events from outside", got, sent)
	}
	r := explained(t, only(t, runs, "*"))
	var records uint64 // below the cut
	for _, c := range r.Causes {
		if c.Cause == report.CauseForeign {
			records = c.Events
		}
	}
	if records == 0 || records >= uint64(sent) {
		t.Errorf("%d foreign events are below the cut, of %d sent: nothing was sent beyond it", records, sent)
	}
}

// A broker that dies takes the demonstration with it: one line, exit code 2,
// and nobody is left.
func TestDeadBroker(t *testing.T) {
	t.Parallel()
	runs := folder(t)
	p := start(t, "demo", "--exit", "--processes", "--runs", runs, "--speed", "30000")
	p.until("sending", func() bool { return strings.Contains(p.stderr.String(), "Streaming: ") && exists(runs, "*/page.addr") })
	brokers := commands(t, " broker ", runs)
	if len(brokers) != 1 {
		t.Skipf("%d processes of a broker are found; without /proc none can be", len(brokers))
	}
	for pid := range brokers {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.wait(); got != 2 {
		t.Errorf("exit code %d, want 2", got)
	}
	if !strings.Contains(p.stderr.String(), "parallax: the broker stopped: signal: killed\n") {
		t.Errorf("it said %q", p.stderr.String())
	}
	if left := commands(t, runs); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}
