package ingest

import (
	"time"

	"parallax.example/internal/config"
)

// Config of an ingester.
type Config struct {
	Brokers     string        `default:"127.0.0.1:9092" help:"Kafka brokers, as host:port, separated by commas."`
	TopicPrefix string        `default:"parallax" help:"Prefix of the topics' names."`
	Lake        string        `default:"lake" help:"Folder of the lake. Made if missing."`
	Group       string        `default:"parallax-ingest" help:"Consumer group, which shares the partitions among ingesters."`
	Instance    string        `default:"" help:"Name of this ingester, unique in the group, kept over restarts. Empty: a new member each time."`
	Rows        int           `default:"524288" help:"Records of a partition after which a manifest is written."`
	Bytes       int           `default:"67108864" help:"Bytes of a partition's records in memory after which a manifest is written."`
	Span        time.Duration `default:"10m" help:"Time between a partition's records, or since the first of them was read, after which a manifest is written."`
	Session     time.Duration `name:"session-timeout" default:"45s" help:"How long a dead ingester keeps its partitions."`
	ToEnd       bool          `help:"Stop when everything that the topic holds at the start is in the lake."`
	Metrics     string        `placeholder:"HOST:PORT" help:"Serve /metrics and /healthz here."`
}

// Validate reports what is wrong with the values.
func (c *Config) Validate() []config.Fault {
	var faults []config.Fault
	fault := func(flag, message string) { faults = append(faults, config.Faultf(flag, "%s", message)) }
	if c.Lake == "" {
		fault("--lake", "a folder is needed")
	}
	if c.Group == "" {
		fault("--group", "a name is needed")
	}
	if c.Rows < 1 {
		fault("--rows", "must be at least 1")
	}
	if c.Bytes < 1 {
		fault("--bytes", "must be at least 1")
	}
	if c.Span < time.Millisecond {
		fault("--span", "must be at least 1ms")
	}
	if c.Session < time.Second {
		fault("--session-timeout", "must be at least 1s")
	}
	return faults
}

// writer is how the manifests call this ingester.
func (c *Config) writer() string {
	if c.Instance == "" {
		return c.Group
	}
	return c.Group + "/" + c.Instance
}
