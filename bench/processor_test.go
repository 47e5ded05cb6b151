package bench

import (
	"context"
	"testing"
	"time"

	"parallax.example/services/processor"
)

func BenchmarkExactlyOnce(b *testing.B) {
	perForm(b, func(b *testing.B, _ string, l *log) {
		m := begin(b)
		for b.Loop() {
			m.pause()
			prefix := newPrefix()
			c, err := newTopics(prefix)
			must(b, err)
			fill(b, c, prefix, l)
			p, err := processor.New(processor.Config{
				Brokers: c.Brokers, TopicPrefix: prefix, Views: viewsFile, Group: prefix, Instance: "bench",
				CommitInterval: 100 * time.Millisecond, BatchRecords: batchSize, SessionTimeout: 45 * time.Second, RestoreStall: patience,
			}, processor.Deps{})
			must(b, err)
			m.resume()
			process(b, m, p, l)
			dropTopics(b, c, prefix)
			m.resume()
		}
		m.end(b.N * l.events)
	})
}

// process runs p until everything is committed. It leaves the meter paused.
func process(b *testing.B, m *meter, p *processor.Processor, l *log) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	for end := time.Now().Add(patience); taken(p) < l.records; time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-ended:
			b.Fatalf("the processor ended by itself: %v", err)
		default:
		}
		if time.Now().After(end) {
			b.Fatalf("only %d of %d records were taken in", taken(p), l.records)
		}
	}
	m.pause()
	cancel()
	must(b, <-ended)
	var valid uint64
	for _, c := range p.Counts() {
		valid += c.Valid
	}
	if valid != uint64(l.events) {
		b.Fatalf("%d of %d events are valid", valid, l.events)
	}
}

// taken is how many records are committed.
func taken(p *processor.Processor) (n int) {
	for _, c := range p.Counts() {
		n += int(c.Offset)
	}
	return n
}
