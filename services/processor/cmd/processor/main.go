// Command processor answers the views over the events topic, exactly once.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/telemetry"
	"parallax.example/services/processor"
)

type command struct {
	Run     runCommand     `cmd:"" default:"withargs" help:"Answer the views until Ctrl-C; this is what is done without a command."`
	Reset   resetCommand   `cmd:"" help:"Let changed views begin anew, from now on."`
	Rebuild rebuildCommand `cmd:"" help:"Recompute changed views from the first retained event on."`
}

type runCommand struct {
	processor.Config
	Log telemetry.Log `embed:""`
}

// Help is shown by --help.
func (c *runCommand) Help() string { return processor.RunHelp }

// Run is called by config.Main.
func (c *runCommand) Run(ctx context.Context) error {
	log := c.Log.Logger(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv))
	p, err := processor.New(c.Config, processor.Deps{Log: log})
	if err != nil {
		return err
	}
	return p.Run(ctx)
}

type resetCommand struct {
	processor.ChangeConfig
	Log telemetry.Log `embed:""`
}

// Help is shown by --help.
func (c *resetCommand) Help() string { return processor.ResetHelp }

// Run is called by config.Main.
func (c *resetCommand) Run(ctx context.Context) error {
	return processor.Reset(ctx, c.ChangeConfig, c.Log.Logger(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv)))
}

type rebuildCommand struct {
	processor.ChangeConfig
	Log telemetry.Log `embed:""`
}

// Help is shown by --help.
func (c *rebuildCommand) Help() string { return processor.RebuildHelp }

// Run is called by config.Main.
func (c *rebuildCommand) Run(ctx context.Context) error {
	terminal := telemetry.TerminalOf(os.Stderr, os.LookupEnv)
	progress := telemetry.NewProgress(os.Stderr, terminal, time.Now)
	defer progress.Done()
	return processor.Rebuild(ctx, c.ChangeConfig, c.Log.Logger(progress, terminal), func(done, of int64) {
		progress.Show(fmt.Sprintf("Rebuilding: %d of %d events", done, of))
	})
}

func main() {
	os.Exit(config.Main(&command{}, config.Options{
		Name:        "processor",
		Description: "Answer the views over the events topic, continuously and exactly once.",
	}))
}
