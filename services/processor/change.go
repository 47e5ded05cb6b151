package processor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
	"parallax.example/services/processor/task"
)

// ChangeConfig is what a command needs that moves the state of a group to
// another views file. What names the group must be as the processor has it.
type ChangeConfig struct {
	View []string `required:"" placeholder:"NAME" help:"View whose definition changed, that is new or that is gone; name each of them."`

	Brokers     string `default:"127.0.0.1:9092" placeholder:"HOST:PORT,…" help:"Kafka brokers."`
	TopicPrefix string `default:"parallax" placeholder:"NAME" help:"Prefix of the topics."`
	Views       string `default:"views.yaml" placeholder:"FILE" help:"The changed views file."`
	Group       string `default:"parallax-processor" placeholder:"NAME" help:"Consumer group of the processors."`
	Instance    string `placeholder:"NAME" help:"Name of a processor that was stopped just now, to have its partitions without waiting for the end of its session."`

	SessionTimeout time.Duration `default:"45s" help:"As the processors have it: how long a dead one keeps its partitions."`
	RestoreStall   time.Duration `default:"2m" help:"How long reading the state may wait without any progress before it is given up."`
}

// Validate reports what the tags cannot say.
func (c *ChangeConfig) Validate() []config.Fault {
	var faults []config.Fault
	fault := func(bad bool, flag, format string, args ...any) {
		if bad {
			faults = append(faults, config.Faultf(flag, format, args...))
		}
	}
	fault(c.Brokers == "", "--brokers", "is empty; name at least one broker, such as 127.0.0.1:9092")
	fault(c.TopicPrefix == "", "--topic-prefix", "is empty")
	fault(c.Views == "", "--views", "is empty; name a file, such as views.yaml")
	fault(c.Group == "", "--group", "is empty")
	fault(c.SessionTimeout < 2*time.Second, "--session-timeout", "%v must be at least 2s", c.SessionTimeout)
	fault(c.RestoreStall < time.Second, "--restore-stall", "%v must be at least 1s", c.RestoreStall)
	return faults
}

// Reset lets the named views begin anew, with the next event of each partition.
// See task.Reset.
func Reset(ctx context.Context, c ChangeConfig, log *slog.Logger) error {
	t, err := c.task(log)
	if err != nil {
		return err
	}
	return task.Reset(ctx, t, c.View)
}

// Rebuild recomputes the named views from the first retained event on. See
// task.Rebuild, also for progress.
func Rebuild(ctx context.Context, c ChangeConfig, log *slog.Logger, progress func(done, of int64)) error {
	t, err := c.task(log)
	if err != nil {
		return err
	}
	return task.Rebuild(ctx, t, c.View, progress)
}

func (c *ChangeConfig) task(log *slog.Logger) (task.Config, error) {
	f, err := readViews(c.Views)
	if err != nil {
		return task.Config{}, err
	}
	return task.Config{
		Kafka:  task.Brokers(kafka.Config{Brokers: c.Brokers, ClientID: "parallax-processor-change", Log: log}),
		Topics: kafka.NewTopics(c.TopicPrefix), Views: f, Log: log, Group: c.Group, Slot: c.Instance,
		Pace:               profiles["throughput"],
		TransactionTimeout: transactionTimeout(0, c.SessionTimeout), SessionTimeout: c.SessionTimeout, RestoreStall: c.RestoreStall,
		Counters: &task.Counters{}, Probe: here,
	}, nil
}

// readViews reads a views file. A wrong one gives view.Faults, all of them.
func readViews(name string) (*view.File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the views: %w", err)
	}
	return view.Parse(name, text)
}
