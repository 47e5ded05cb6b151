package processor

import (
	"time"

	"parallax.example/internal/config"
)

// Config of a processor. Start as many as there are partitions; they share them.
type Config struct {
	Brokers     string `default:"127.0.0.1:9092" placeholder:"HOST:PORT,…" help:"Kafka brokers."`
	TopicPrefix string `default:"parallax" placeholder:"NAME" help:"Prefix of the topics: events come from NAME.events."`
	Views       string `default:"views.yaml" placeholder:"FILE" help:"The views to answer."`
	Group       string `default:"parallax-processor" placeholder:"NAME" help:"Consumer group, and prefix of the transactional ids; no other application on the cluster may use it."`
	Instance    string `placeholder:"NAME" help:"Name of this processor, unique in the group and kept over restarts, so that it gets its partitions back at once. Empty: a new member each time."`

	CommitInterval     time.Duration `default:"100ms" help:"How long a transaction collects input; answers are visible after it."`
	BatchRecords       int           `default:"4096" placeholder:"N" help:"Input records after which a transaction is committed sooner."`
	SessionTimeout     time.Duration `default:"45s" help:"How long a dead processor keeps its partitions."`
	TransactionTimeout time.Duration `placeholder:"D" help:"How long a transaction may stay open; 0 is two thirds of the session timeout, at most 15s."`
	RestoreStall       time.Duration `default:"2m" help:"How long a restore may wait without any progress before it is given up."`

	Metrics string `placeholder:"HOST:PORT" help:"Serve /metrics and /healthz here."`
}

func (c *Config) transactionTimeout() time.Duration {
	if c.TransactionTimeout != 0 {
		return c.TransactionTimeout
	}
	return min(c.SessionTimeout*2/3, 15*time.Second)
}

// Validate reports what the tags cannot say. The times form a ladder: a dead
// owner's transaction is over before its partitions go to another one, and a
// restore gives up before the group gives the member up.
func (c *Config) Validate() []config.Fault {
	var faults []config.Fault
	fault := func(bad bool, flag, format string, args ...any) {
		if bad {
			faults = append(faults, config.Faultf(flag, format, args...))
		}
	}
	transaction := c.transactionTimeout()
	fault(c.Brokers == "", "--brokers", "is empty; name at least one broker, such as 127.0.0.1:9092")
	fault(c.TopicPrefix == "", "--topic-prefix", "is empty")
	fault(c.Views == "", "--views", "is empty; name a file, such as views.yaml")
	fault(c.Group == "", "--group", "is empty")
	fault(c.BatchRecords < 1 || c.BatchRecords > 1_000_000, "--batch-records", "%d must be from 1 to 1000000", c.BatchRecords)
	fault(c.CommitInterval < time.Millisecond, "--commit-interval", "%v must be at least 1ms", c.CommitInterval)
	fault(transaction < time.Second, "--transaction-timeout", "%v must be at least 1s", transaction)
	fault(transaction < 2*c.CommitInterval, "--commit-interval", "%v must be at most half of the transaction timeout, %v", c.CommitInterval, transaction)
	fault(c.SessionTimeout <= transaction, "--session-timeout", "%v must be longer than the transaction timeout, %v", c.SessionTimeout, transaction)
	fault(c.RestoreStall < time.Second, "--restore-stall", "%v must be at least 1s", c.RestoreStall)
	return faults
}
