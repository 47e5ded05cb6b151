package demo

import (
	"time"

	"parallax.example/internal/config"
	"parallax.example/services/generator"
)

// Config of a demonstration.
type Config struct {
	Runs           string        `default:"runs" placeholder:"DIR" help:"Folder that gets the run's own folder."`
	Views          string        `default:"views.yaml" placeholder:"FILE" help:"The questions."`
	Speed          string        `placeholder:"N" help:"How many times faster than in 2001 the flights leave; max is as fast as possible. 30000 if not given, max for --log."`
	Form           string        `default:"proto" enum:"proto,json" help:"Wire form of the events: proto, json."`
	Dataset        string        `placeholder:"FILE" help:"Replay this file of flights instead of the built-in week."`
	Log            string        `placeholder:"FILE" help:"Replay a recorded log (log/events.parquet of a run), byte for byte."`
	Limit          int           `placeholder:"N" help:"Stop after this many flights; 0 sends all."`
	Partitions     int           `default:"4" help:"Partitions of the events topic."`
	Processors     int           `default:"2" help:"Processors that share the partitions."`
	CommitInterval time.Duration `default:"100ms" help:"How often a processor commits."`
	BatchRecords   int           `default:"4096" help:"Most records that a processor takes at once."`
	Workers        int           `default:"2" help:"Workers of the batch job."`
	SessionTimeout time.Duration `default:"6s" help:"How long a dead processor keeps its partitions."`
	Addr           string        `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Where the embedded broker listens; port 0 takes a free one."`
	Page           string        `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Where the live page listens; port 0 takes a free one."`
	Serve          bool          `help:"Keep the page after the verdict, until Ctrl-C. On a terminal this is the default."`
	Exit           bool          `help:"End after the verdict also on a terminal."`
	Processes      bool          `help:"Run every program as a process of its own."`
	Kill           string        `default:"none" enum:"none,processor" help:"With --processes: kill -9 this half way: none, processor."`
}

// Validate reports what the tags cannot say.
func (c *Config) Validate() []config.Fault {
	var faults []config.Fault
	fault := func(bad bool, flag, format string, args ...any) {
		if bad {
			faults = append(faults, config.Faultf(flag, format, args...))
		}
	}
	var speed generator.Speed
	if err := speed.UnmarshalText([]byte(c.speed())); err != nil {
		faults = append(faults, config.Faultf("--speed", "%v", err))
	}
	fault(c.Runs == "", "--runs", "a folder is needed")
	fault(c.Log != "" && c.Dataset != "", "--log", "cannot be combined with --dataset: choose one source")
	fault(c.Partitions < 1 || c.Partitions > 64, "--partitions", "%d must be from 1 to 64", c.Partitions)
	fault(c.Processors < 1 || c.Processors > 16, "--processors", "%d must be from 1 to 16", c.Processors)
	fault(c.Workers < 1, "--workers", "%d must be at least 1", c.Workers)
	fault(c.Limit < 0, "--limit", "%d is negative", c.Limit)
	fault(c.BatchRecords < 1, "--batch-records", "%d must be at least 1", c.BatchRecords)
	fault(c.CommitInterval < time.Millisecond, "--commit-interval", "%v must be at least 1ms", c.CommitInterval)
	fault(c.SessionTimeout < time.Second, "--session-timeout", "%v must be at least 1s", c.SessionTimeout)
	fault(c.Kill != "none" && !c.Processes, "--kill", "needs --processes: a part of a process cannot be killed")
	fault(c.Kill != "none" && c.Processors < 2, "--processors", "%d must be at least 2 with --kill: another one takes over", c.Processors)
	fault(c.Serve && c.Exit, "--serve", "cannot be combined with --exit")
	return faults
}

func (c *Config) speed() string {
	switch {
	case c.Speed != "":
		return c.Speed
	case c.Log != "":
		return "max"
	}
	return "30000"
}
