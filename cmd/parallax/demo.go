package main

import (
	"context"
	"os"
	"time"

	"parallax.example/cmd/parallax/demo"
	"parallax.example/internal/telemetry"
)

type demoCommand struct {
	demo.Config `embed:""`
}

func (c *demoCommand) Run(ctx context.Context) error {
	if telemetry.TerminalOf(os.Stdout, os.LookupEnv).Refresh && !c.Exit {
		c.Serve = true
	}
	return demo.Run(ctx, c.Config, demo.Deps{Execute: execute, Out: os.Stdout, Now: time.Now})
}
