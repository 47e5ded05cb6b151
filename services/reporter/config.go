package reporter

import (
	"time"

	"parallax.example/internal/config"
)

// Config of a reporter.
type Config struct {
	Brokers     string   `default:"127.0.0.1:9092" help:"Kafka brokers, as host:port, separated by commas."`
	TopicPrefix string   `default:"parallax" help:"Prefix of the topics' names."`
	Group       string   `default:"parallax-processor" help:"Consumer group of the processors, whose commits tell how far the stream has come."`
	Views       string   `default:"views.yaml" help:"The questions: the file that the stream and the batch answered."`
	Ledger      []string `default:"ledger/generator.ledger" help:"What was really sent: the generators' ledgers, separated by commas."`
	Lake        string   `default:"lake" help:"Folder of the lake."`
	Batch       string   `default:"batch" help:"Folder of the batch's finished answer, the one with _SUCCESS.json."`
	Out         string   `default:"report" help:"Folder for report.html, report.md, report.json, cells.csv and cells.parquet. Made if missing."`
	RunID       string   `default:"" help:"Name of the run in the report."`

	Dataset string `default:"" help:"Name of the data set in the report."`
	Noun    string `default:"event" help:"What one event is, such as flight."`
	Nouns   string `default:"events" help:"What several events are, such as flights."`
	KeyNoun string `default:"key" help:"What a key is, such as origin."`
	Unit    string `default:"" help:"Unit of the values, such as minutes."`
	Why     string `default:"" help:"Why events of this data set come late: one sentence for the report."`

	Stall time.Duration `default:"30s" help:"How long to wait for a stream that does not advance."`
}

// Validate reports what is wrong with the values.
func (c *Config) Validate() []config.Fault {
	var faults []config.Fault
	need := func(flag, value, message string) {
		if value == "" {
			faults = append(faults, config.Fault{Place: flag, Message: message})
		}
	}
	need("--group", c.Group, "a name is needed")
	need("--views", c.Views, "a file is needed")
	need("--lake", c.Lake, "a folder is needed")
	need("--batch", c.Batch, "a folder is needed")
	need("--out", c.Out, "a folder is needed")
	if len(c.Ledger) == 0 {
		faults = append(faults, config.Fault{Place: "--ledger", Message: "at least one file is needed"})
	}
	if c.Stall < time.Second {
		faults = append(faults, config.Fault{Place: "--stall", Message: "must be at least 1s"})
	}
	return faults
}
