package generator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
	"parallax.example/internal/telemetry"
)

// Deps is what a generator needs of the world.
type Deps struct {
	Clock Clock
	Log   *slog.Logger
}

// Generator sends one source once.
type Generator struct {
	config Config
	deps   Deps
	source source
	counts counts
}

// Progress is how far a run has come.
type Progress struct {
	Total  uint64 // messages of the source, punctuation included
	Sent   uint64 // with an intent in the ledger
	OK     uint64 // acknowledged by Kafka
	Failed uint64
	Due    int64 // the source's own time of the last message sent, µs
}

// counts are read by the live page while the run writes them.
type counts struct {
	sent, ok, failed atomic.Uint64
	due              atomic.Int64
}

// New reads the source. The error says what is wrong with the configuration or
// with the file.
func New(c Config, d Deps) (*Generator, error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, config.Faults(faults)
	}
	if d.Clock == nil || d.Log == nil {
		panic("BUG: a generator without clock or log")
	}
	s, err := open(&c)
	if err != nil {
		return nil, err
	}
	return &Generator{config: c, deps: d, source: s}, nil
}

func open(c *Config) (source, error) {
	if c.Log != "" {
		file, err := os.ReadFile(c.Log)
		if err != nil {
			return nil, fmt.Errorf("cannot replay a log: %w", err)
		}
		s, err := newRecorded(file, c)
		if err != nil {
			return nil, fmt.Errorf("cannot replay the log %q: %w", c.Log, err)
		}
		return s, nil
	}
	name, file := "the built-in week", week
	if c.Dataset != "" {
		var err error
		if file, err = os.ReadFile(c.Dataset); err != nil {
			return nil, fmt.Errorf("cannot replay flights: %w", err)
		}
		name = fmt.Sprintf("%q", c.Dataset)
	}
	s, err := newFlights(file, c)
	if err != nil {
		return nil, fmt.Errorf("cannot replay flights from %s: %w", name, err)
	}
	return s, nil
}

// Progress may be called at any time, from any goroutine.
func (g *Generator) Progress() Progress {
	return Progress{
		Total:  uint64(g.source.len()),
		Sent:   g.counts.sent.Load(),
		OK:     g.counts.ok.Load(),
		Failed: g.counts.failed.Load(),
		Due:    g.counts.due.Load(),
	}
}

// patience is how long an interrupted run waits for outstanding deliveries.
const patience = time.Second

// Run sends what the ledger does not have yet and waits for every outcome. When
// ctx ends it stops within two seconds and leaves a ledger from which the next
// Run goes on. The summary is of the whole ledger, also beside an error that
// came while sending. With Config.Stay it returns when ctx has ended as well.
func (g *Generator) Run(ctx context.Context) (s Summary, err error) {
	err = telemetry.Observed(ctx, g.config.Metrics, g.registry(), func(ctx context.Context) error {
		if s, err = g.run(ctx); err == nil && g.config.Stay {
			g.deps.Log.Info("everything is sent; staying until asked to end", "messages", s.Intents)
			<-ctx.Done()
		}
		return err
	})
	return s, err
}

func (g *Generator) run(ctx context.Context) (Summary, error) {
	admin, err := kafka.NewAdmin(g.kafka())
	if err != nil {
		return Summary{}, err
	}
	defer admin.Close()
	topic, err := admin.Topic(ctx, g.config.topic())
	if err != nil {
		return Summary{}, fmt.Errorf("cannot generate: %w", err)
	}
	if topic.Partitions != g.config.Partitions {
		return Summary{}, fmt.Errorf("cannot generate: topic %q has %d partitions, not %d; set --partitions, or name another --topic-prefix",
			topic.Name, topic.Partitions, g.config.Partitions)
	}

	w, pending, err := g.openLedger()
	if err != nil {
		return Summary{}, err
	}
	sent := g.send(ctx, w, pending)
	closed := w.Close()

	s, err := Summarize(g.config.Ledger)
	switch {
	case sent != nil:
		return s, sent
	case closed != nil:
		return s, closed
	case err != nil:
		return s, err
	case s.OK < uint64(g.source.len()):
		return s, fmt.Errorf("cannot account for %d of %d messages: %d failed, %d are unknown; start again with the same ledger to send them again",
			g.source.len()-int(s.OK), g.source.len(), s.Failed, s.Unknown)
	}
	return s, g.complete(admin, &s)
}

func (g *Generator) kafka() kafka.Config {
	return kafka.Config{Brokers: g.config.Brokers, ClientID: "generator", Log: g.deps.Log}
}

// openLedger begins a ledger or resumes it.
func (g *Generator) openLedger() (*ledger.Writer, []ledger.Intent, error) {
	header := ledger.Header{
		Run: g.config.RunID, Topic: g.config.topic(), Source: g.source.name(),
		Partitions: int32(g.config.Partitions), Started: g.deps.Clock.Now().UnixMilli(),
	}
	w, rec, err := ledger.Resume(g.config.Ledger)
	if errors.Is(err, fs.ErrNotExist) {
		w, err = ledger.Create(g.config.Ledger, header)
		return w, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	was := rec.Header
	header.Run, header.Started = was.Run, was.Started
	if was != header {
		_ = w.Close() // nothing was written
		return nil, nil, fmt.Errorf("cannot resume ledger %q: it was begun with %q for topic %q with %d partitions, now it is %q for topic %q with %d; name another ledger, or the same source",
			g.config.Ledger, was.Source, was.Topic, was.Partitions, header.Source, header.Topic, header.Partitions)
	}
	if rec.Torn > 0 {
		g.deps.Log.Warn("cut a torn entry off the ledger", "ledger", g.config.Ledger, "bytes", rec.Torn)
	}
	g.deps.Log.Info("resuming", "ledger", g.config.Ledger, "sent", rec.Intents, "again", len(rec.Pending), "of", g.source.len())
	g.counts.sent.Store(rec.Intents)
	g.counts.ok.Store(rec.OK)
	return w, rec.Pending, nil
}
