// Command processor answers the views over the events topic, exactly once.
package main

import (
	"context"
	"os"

	"parallax.example/internal/config"
	"parallax.example/internal/telemetry"
	"parallax.example/services/processor"
)

type command struct {
	processor.Config
	Log telemetry.Log `embed:""`
}

// Run is called by config.Main.
func (c *command) Run(ctx context.Context) error {
	log := c.Log.Logger(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv))
	p, err := processor.New(c.Config, processor.Deps{Log: log})
	if err != nil {
		return err
	}
	return p.Run(ctx)
}

func main() {
	os.Exit(config.Main(&command{}, config.Options{
		Name:        "processor",
		Description: "Answer the views over the events topic, continuously and exactly once.",
		Examples:    "processor --brokers 127.0.0.1:9092 --views views.yaml --instance slot-0  # until Ctrl-C; start more to share the partitions",
	}))
}
