package torture

import (
	"slices"
	"strings"
	"time"

	"parallax.example/internal/config"
)

// Config of a torture.
type Config struct {
	Fault     []string      `placeholder:"NAME,…" help:"Only these rows of the matrix, or groups of them; --list names them."`
	Seeds     int           `default:"3" help:"Runs of each row, each with a seed of its own."`
	Seed      uint64        `placeholder:"N" help:"Seed of the first run; the next ones count up. 0 draws one and prints it."`
	Events    int           `placeholder:"N" help:"Messages of a run. 0: 3000, in long rows as many as they are meant for."`
	Parallel  int           `default:"3" help:"Runs at the same time. Rows that break the broker run alone."`
	Guarantee string        `default:"exactly-once" enum:"exactly-once,at-least-once,at-most-once" help:"What the processors are told to keep. With a weaker one than exactly-once the same faults do harm, and the table and the reporter say how much."`
	Session   time.Duration `placeholder:"D" help:"Session timeout of the processors. 0: 2s, or 6s with --brokers, which is the least that Kafka allows by default."`
	Brokers   string        `placeholder:"HOST:PORT,…" help:"Torture against this Kafka, which is left alone. Without it and --kafka-home: against the embedded broker, in a process of its own."`
	KafkaHome string        `placeholder:"DIR" help:"Start Apache Kafka from the jars in this folder, or in its folder libs, and break it too."`
	Runs      string        `default:"runs" placeholder:"DIR" help:"Folder that gets the files of the runs. Those of good runs are removed."`
	JSON      string        `name:"json" placeholder:"FILE" help:"Write every run and the table to this file."`
	List      bool          `help:"List the rows of the matrix."`
}

// Validate reports what the tags cannot say.
func (c *Config) Validate() []config.Fault {
	var faults []config.Fault
	fault := func(bad bool, flag, format string, args ...any) {
		if bad {
			faults = append(faults, config.Faultf(flag, format, args...))
		}
	}
	for _, name := range c.Fault {
		known := slices.ContainsFunc(matrix, func(f row) bool { return f.name == name || f.group == name })
		fault(!known, "--fault", "%q is no row and no group of the matrix; --list names them", name)
	}
	fault(c.Seeds < 1, "--seeds", "%d must be at least 1", c.Seeds)
	fault(c.Events != 0 && (c.Events < 1000 || c.Events > 10_000_000), "--events", "%d must be from 1000 to 10000000", c.Events)
	fault(c.Parallel < 1 || c.Parallel > 64, "--parallel", "%d must be from 1 to 64", c.Parallel)
	fault(c.Session != 0 && c.Session < 1500*time.Millisecond, "--session", "%v must be at least 1.5s", c.Session)
	fault(c.Brokers != "" && c.KafkaHome != "", "--kafka-home", "cannot be combined with --brokers: choose one Kafka")
	fault(c.Runs == "", "--runs", "a folder is needed")
	return faults
}

func (c *Config) session() time.Duration {
	switch {
	case c.Session != 0:
		return c.Session
	case c.Brokers != "":
		return 6 * time.Second
	}
	return 2 * time.Second
}

// weaker says that harm is expected.
func (c *Config) weaker() bool { return c.Guarantee != exactlyOnce }

const exactlyOnce = "exactly-once"

// kafka is the part of the command line that names the cluster.
func (c *Config) kafka() string {
	var parts []string
	if c.Brokers != "" {
		parts = append(parts, "--brokers "+c.Brokers)
	}
	if c.KafkaHome != "" {
		parts = append(parts, "--kafka-home "+c.KafkaHome)
	}
	if c.Session != 0 {
		parts = append(parts, "--session "+c.Session.String())
	}
	return strings.Join(parts, " ")
}
