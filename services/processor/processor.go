package processor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/internal/telemetry"
	"parallax.example/internal/view"
	"parallax.example/services/processor/task"
)

// Deps are what a processor takes from outside.
type Deps struct {
	Log *slog.Logger     // nil discards
	Now func() time.Time // of metrics; nil is the wall clock
	// Probe is called at each step, for tests; nil is the failpoints.
	Probe func(step task.Step, partition int32) error
}

// Processor answers the views for the partitions that its group gives it.
type Processor struct {
	config   Config
	deps     Deps
	views    *view.File
	counters task.Counters
}

// New checks the configuration and reads the views; nothing is connected
// before Run. A wrong views file gives view.Faults, all of them.
func New(c Config, deps Deps) (*Processor, error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("cannot configure the processor: %w", faults[0])
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Probe == nil {
		deps.Probe = here
	}
	f, err := readViews(c.Views)
	if err != nil {
		return nil, err
	}
	return &Processor{config: c, deps: deps, views: f}, nil
}

// here is the failpoint of a step.
func here(step task.Step, _ int32) error {
	if failpoint.Armed() == "" {
		return nil // without making a name for each step of each transaction
	}
	return failpoint.Here("processor/" + string(step))
}

// Counts returns the figures of each partition that this processor has owned.
// It may be called at any time.
func (p *Processor) Counts() []task.Counts { return p.counters.Snapshot() }

// Run processes until ctx ends; then it commits what is open and returns nil,
// within two seconds. Any other end is an error; a *task.Stop says what a
// person must do.
func (p *Processor) Run(ctx context.Context) error {
	c := &p.config
	loop := task.New(task.Config{
		Kafka:  task.Brokers(p.kafka()),
		Topics: kafka.NewTopics(c.TopicPrefix), Views: p.views, Log: p.deps.Log,
		Guarantee: c.guarantee(), Group: c.Group, Slot: c.Instance,
		Pace: c.paceFor(p.views), MaxKeys: c.MaxKeys, Buffer: c.Buffer << 20,
		TransactionTimeout: c.transactionTimeout(), SessionTimeout: c.SessionTimeout, RestoreStall: c.RestoreStall,
		Counters: &p.counters, Probe: p.deps.Probe,
	})
	if c.Metrics == "" {
		return loop.Run(ctx)
	}
	return p.observed(ctx, loop.Run)
}

// observed runs the loop with its metrics served.
func (p *Processor) observed(ctx context.Context, run func(context.Context) error) error {
	admin, err := kafka.NewAdmin(p.kafka())
	if err != nil {
		return err
	}
	defer admin.Close()
	registry := telemetry.NewRegistry()
	registry.MustRegister(collector{&p.counters, func(partitions []int32) ([]kafka.Offsets, error) {
		soon, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return admin.Offsets(soon, kafka.NewTopics(p.config.TopicPrefix).Events, partitions)
	}, p.deps.Now})
	return telemetry.Observed(ctx, p.config.Metrics, registry, run)
}

func (p *Processor) kafka() kafka.Config {
	return kafka.Config{Brokers: p.config.Brokers, ClientID: "parallax-processor", Log: p.deps.Log}
}
