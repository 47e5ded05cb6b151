// Command reporter compares truth, stream and batch, and gives the verdict.
package main

import (
	"context"
	"os"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/telemetry"
	"parallax.example/services/reporter"
)

type command struct {
	reporter.Config
	Log telemetry.Log `embed:""`
}

// Run is called by config.Main.
func (c *command) Run(ctx context.Context) error {
	out := telemetry.TerminalOf(os.Stdout, os.LookupEnv)
	r, err := reporter.New(c.Config, reporter.Deps{
		Log:     c.Log.Logger(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv)),
		Summary: os.Stdout, Color: out.Colour, Now: time.Now,
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

func main() {
	os.Exit(config.Main(&command{}, config.Options{
		Name:        "reporter",
		Description: "Compare what the stream and the batch answered with what was really sent.",
		Examples:    "reporter --batch batch/20260101T000000Z --out report  # exit code 0: everything is explained",
	}))
}
