package generator

import (
	"fmt"
	"strconv"

	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
)

// Config of a generator. Without Dataset and Log it replays the embedded week.
type Config struct {
	Brokers     string `default:"127.0.0.1:9092" placeholder:"HOST:PORT,…" help:"Kafka brokers."`
	TopicPrefix string `default:"parallax" placeholder:"NAME" help:"Prefix of the topics: events go to NAME.events."`
	Partitions  int    `default:"4" help:"Partitions of the events topic."`
	Dataset     string `placeholder:"FILE" help:"Replay this Parquet file of flights instead of the built-in week."`
	Log         string `placeholder:"FILE" help:"Replay this recorded log (events.parquet of a run), byte for byte, instead of flights."`
	Speed       Speed  `default:"30000" placeholder:"N" help:"How many times faster than the data's own time; max is as fast as possible."`
	Form        string `default:"proto" enum:"proto,json" help:"Wire form of events: proto, json."`
	Limit       int    `placeholder:"N" help:"Stop after this many events; 0 sends all."`
	Ledger      string `default:"generator.ledger" placeholder:"FILE" help:"Where to record what is sent. If the file exists, that run is resumed."`
	RunID       string `default:"run" placeholder:"ID" help:"Name of the run, for the ledger."`
	Stay        bool   `help:"Stay when everything is sent, until asked to end."`
	Metrics     string `placeholder:"HOST:PORT" help:"Serve /metrics and /healthz here."`
}

// Validate reports what the tags cannot say.
func (c *Config) Validate() []config.Fault {
	var faults []config.Fault
	fault := func(bad bool, flag, format string, args ...any) {
		if bad {
			faults = append(faults, config.Faultf(flag, format, args...))
		}
	}
	fault(c.Brokers == "", "--brokers", "is empty; name at least one broker, such as 127.0.0.1:9092")
	fault(c.TopicPrefix == "", "--topic-prefix", "is empty")
	fault(c.Partitions < 1 || c.Partitions > 10_000, "--partitions", "%d must be from 1 to 10000", c.Partitions)
	fault(c.Dataset != "" && c.Log != "", "--log", "cannot be combined with --dataset: choose one source")
	fault(c.Form != "proto" && c.Form != "json", "--form", "must be proto or json, not %q", c.Form)
	fault(c.Limit < 0, "--limit", "%d is negative", c.Limit)
	fault(c.Ledger == "", "--ledger", "is empty; nothing is sent without a ledger")
	fault(c.Speed != 0 && (c.Speed < minSpeed || c.Speed > maxSpeed), "--speed", "%v must be from %v to %v, or max", float64(c.Speed), minSpeed, maxSpeed)
	return faults
}

// Speed is how many seconds of the data's time pass in one of ours; 0 is as
// fast as possible.
type Speed float64

const (
	minSpeed = 0.001
	maxSpeed = 1e9
)

// UnmarshalText reads a number or "max".
func (s *Speed) UnmarshalText(text []byte) error {
	if string(text) == "max" {
		*s = 0
		return nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || v != v || v < 0 {
		return fmt.Errorf("%q is neither a number nor max", text)
	}
	*s = Speed(v)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (s Speed) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Speed) String() string {
	if s == 0 {
		return "max"
	}
	return strconv.FormatFloat(float64(s), 'g', -1, 64)
}

func (c *Config) topic() string { return kafka.NewTopics(c.TopicPrefix).Events }
