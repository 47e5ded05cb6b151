// Command ingest brings the events topic into the lake.
package main

import (
	"context"
	"os"

	"parallax.example/internal/config"
	"parallax.example/internal/telemetry"
	"parallax.example/services/batch/ingest"
)

type command struct {
	ingest.Config
	Log telemetry.Log `embed:""`
}

// Run is called by config.Main.
func (c *command) Run(ctx context.Context) error {
	log := c.Log.Logger(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv))
	g, err := ingest.New(c.Config, ingest.Deps{Log: log})
	if err != nil {
		return err
	}
	return g.Run(ctx)
}

func main() {
	os.Exit(config.Main(&command{}, config.Options{
		Name:        "ingest",
		Description: "Bring the events topic into the lake: Kafka's records become Parquet files.",
		Examples:    "ingest --brokers 127.0.0.1:9092 --lake lake  # go on until Ctrl-C\ningest --to-end  # stop when what is there now is in the lake",
	}))
}
