package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"parallax.example/internal/telemetry"
	"parallax.example/services/batch"
)

type batchCommand struct {
	batch.Config `embed:""`
	Logging      logging `embed:""`
}

func (c *batchCommand) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	progress := telemetry.NewProgress(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv), time.Now)
	b, err := batch.New(c.Config, batch.Deps{Progress: func(stage string, done, of int) {
		progress.Show(fmt.Sprintf("Batch: %s %d of %d", stage, done, of))
	}})
	if err != nil {
		return err
	}
	s, err := b.Run(ctx)
	progress.Done()
	if err != nil {
		return err
	}
	log.Info("batch answered", "summary", batch.Summary(b.Folder(), &s))
	return nil
}
