package main

import (
	"context"
	"os"
	"time"

	"parallax.example/cmd/parallax/torture"
	"parallax.example/internal/telemetry"
)

type tortureCommand struct {
	torture.Config `embed:""`
}

func (c *tortureCommand) Run(ctx context.Context) error {
	progress := telemetry.NewProgress(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv), time.Now)
	defer progress.Done()
	return torture.Run(ctx, c.Config, torture.Deps{
		Out: os.Stdout, Now: time.Now, Progress: progress.Show,
		Tell: func(text string) { _, _ = progress.Write([]byte(text)) }, // nobody is told when the terminal is gone
	})
}
