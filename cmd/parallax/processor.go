package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"parallax.example/internal/telemetry"
	"parallax.example/services/processor"
)

type processorCommand struct {
	Run     processorRun     `cmd:"" default:"withargs" help:"Answer the views until Ctrl-C; this is what is done without a command."`
	Reset   processorReset   `cmd:"" help:"Let changed views begin anew, from now on."`
	Rebuild processorRebuild `cmd:"" help:"Recompute changed views from the first retained event on."`
}

type processorRun struct {
	processor.Config `embed:""`
	Logging          logging `embed:""`
}

// Help is shown by --help.
func (c *processorRun) Help() string { return processor.RunHelp }

func (c *processorRun) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	p, err := processor.New(c.Config, processor.Deps{Log: log})
	if err != nil {
		return err
	}
	return p.Run(ctx)
}

type processorReset struct {
	processor.ChangeConfig `embed:""`
	Logging                logging `embed:""`
}

// Help is shown by --help.
func (c *processorReset) Help() string { return processor.ResetHelp }

func (c *processorReset) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	return processor.Reset(ctx, c.ChangeConfig, log)
}

type processorRebuild struct {
	processor.ChangeConfig `embed:""`
	Logging                logging `embed:""`
}

// Help is shown by --help.
func (c *processorRebuild) Help() string { return processor.RebuildHelp }

func (c *processorRebuild) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	progress := telemetry.NewProgress(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv), time.Now)
	defer progress.Done()
	return processor.Rebuild(ctx, c.ChangeConfig, log, func(done, of int64) {
		progress.Show(fmt.Sprintf("Rebuilding: %d of %d events", done, of))
	})
}
