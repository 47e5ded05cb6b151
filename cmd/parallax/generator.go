package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"parallax.example/internal/telemetry"
	"parallax.example/services/generator"
)

type generatorCommand struct {
	generator.Config `embed:""`
	Logging          logging `embed:""`
}

func (c *generatorCommand) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	g, err := generator.New(c.Config, generator.Deps{Clock: generator.WallClock{}, Log: log})
	if err != nil {
		return err
	}
	progress := telemetry.NewProgress(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv), time.Now)
	stop := every(100*time.Millisecond, func() {
		p := g.Progress()
		progress.Show(fmt.Sprintf("Streaming: %d of %d sent, %d acknowledged", p.Sent, p.Total, p.OK))
	})
	_, err = g.Run(ctx)
	stop()
	progress.Done()
	return err
}
