package processor

import (
	"cmp"
	"time"

	"parallax.example/internal/config"
	"parallax.example/services/processor/task"
)

// Config of a processor. Start as many as there are partitions; they share them.
type Config struct {
	Brokers     string `default:"127.0.0.1:9092" placeholder:"HOST:PORT,…" help:"Kafka brokers."`
	TopicPrefix string `default:"parallax" placeholder:"NAME" help:"Prefix of the topics: events come from NAME.events."`
	Views       string `default:"views.yaml" placeholder:"FILE" help:"The views to answer."`
	Group       string `default:"parallax-processor" placeholder:"NAME" help:"Consumer group, and prefix of the transactional ids; no other application on the cluster may use it."`
	Instance    string `placeholder:"NAME" help:"Name of this processor, unique in the group and kept over restarts, so that it gets its partitions back at once. Empty: a new member each time."`

	Profile        string        `default:"balanced" enum:"latency,balanced,throughput" help:"What to be good at: latency commits a closed window at once and all else each 10ms, balanced each 100ms, throughput each 500ms. It is the default of the four flags that follow, where they are 0."`
	CommitInterval time.Duration `placeholder:"D" help:"How long a transaction collects input; answers are visible after it (a closed window does not wait for it in profile latency). By profile: 10ms (100ms where all views are final only), 100ms, 500ms."`
	BatchRecords   int           `placeholder:"N" help:"Input records after which a transaction is committed sooner. By profile: 8192, 65536, 262144."`
	FetchWait      time.Duration `placeholder:"D" help:"How long a broker may hold back a fetch that would be empty. By profile: 20ms, 20ms, 50ms."`
	Linger         time.Duration `placeholder:"D" help:"How long output may wait to be sent together; a commit sends at once. By profile: 1ms, 5ms, 20ms."`

	Guarantee string `default:"exactly-once" enum:"exactly-once,at-least-once,at-most-once" help:"What holds of each record, whoever dies when. Anything but exactly-once is for comparisons: after a death its answers are wrong, and the report says where. A state goes on under the guarantee it was made with."`

	MaxKeys int `default:"1000000" placeholder:"N" help:"Most keys with open windows, and most producers with ids, in one partition; more of either stop the processor, with nothing lost. 0: no limit."`
	Buffer  int `default:"16" placeholder:"MIB" help:"How much may be fetched ahead of processing, in MiB of records, of all partitions together; the client needs some times as much for small ones. 0: 4 MiB for each partition."`

	SessionTimeout     time.Duration `default:"45s" help:"How long a dead processor keeps its partitions."`
	TransactionTimeout time.Duration `placeholder:"D" help:"How long a transaction may stay open; 0 is two thirds of the session timeout, at most 15s."`
	RestoreStall       time.Duration `default:"2m" help:"How long a restore may wait without any progress before it is given up."`

	Metrics string `placeholder:"HOST:PORT" help:"Serve /metrics and /healthz here."`
}

func (c *Config) transactionTimeout() time.Duration {
	return transactionTimeout(c.TransactionTimeout, c.SessionTimeout)
}

// guarantee is the flag's; of an unknown one Validate tells.
func (c *Config) guarantee() task.Guarantee {
	g, _ := task.ParseGuarantee(cmp.Or(c.Guarantee, task.ExactlyOnce.String()))
	return g
}

func transactionTimeout(given, session time.Duration) time.Duration {
	if given != 0 {
		return given
	}
	return min(session*2/3, 15*time.Second)
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
	transaction, pace := c.transactionTimeout(), c.pace()
	fault(c.Brokers == "", "--brokers", "is empty; name at least one broker, such as 127.0.0.1:9092")
	fault(c.TopicPrefix == "", "--topic-prefix", "is empty")
	fault(c.Views == "", "--views", "is empty; name a file, such as views.yaml")
	fault(c.Group == "", "--group", "is empty")
	if c.Guarantee != "" {
		_, err := task.ParseGuarantee(c.Guarantee)
		fault(err != nil, "--guarantee", "%v", err)
	}
	fault(pace.CommitRecords < 1 || pace.CommitRecords > 1_000_000, "--batch-records", "%d must be from 1 to 1000000", pace.CommitRecords)
	fault(pace.CommitInterval < time.Millisecond, "--commit-interval", "%v must be at least 1ms", pace.CommitInterval)
	fault(pace.FetchWait < time.Millisecond, "--fetch-wait", "%v must be at least 1ms", pace.FetchWait)
	fault(pace.Linger < time.Millisecond, "--linger", "%v must be at least 1ms", pace.Linger)
	fault(c.MaxKeys < 0, "--max-keys", "%d is negative", c.MaxKeys)
	fault(c.Buffer < 0, "--buffer", "%d is negative", c.Buffer)
	fault(transaction < time.Second, "--transaction-timeout", "%v must be at least 1s", transaction)
	fault(transaction < 2*pace.CommitInterval, "--commit-interval", "%v must be at most half of the transaction timeout, %v", pace.CommitInterval, transaction)
	fault(c.SessionTimeout <= transaction, "--session-timeout", "%v must be longer than the transaction timeout, %v", c.SessionTimeout, transaction)
	fault(c.RestoreStall < time.Second, "--restore-stall", "%v must be at least 1s", c.RestoreStall)
	return faults
}
