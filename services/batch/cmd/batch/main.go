// Command batch answers the views from the lake. It never reaches Kafka, so
// that it is one static binary (CGO_ENABLED=0).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"parallax.example/internal/config"
	"parallax.example/internal/telemetry"
	"parallax.example/services/batch"
)

type commands struct {
	Run   run          `cmd:"" help:"Answer the views at a cut, in both readings, as one job."`
	Watch watch        `cmd:"" help:"Answer again whenever the lake has grown, until asked to end."`
	Query queryCommand `cmd:"" help:"Count, sum, min and max per window and key of any Parquet files: no lake, no ids, no lateness."`
}

type run struct {
	batch.Config
	JSON bool `name:"json" help:"Print the job's _SUCCESS.json instead of a summary."`
}

// Run is called by config.Main.
func (c *run) Run(ctx context.Context) error {
	deps := batch.Deps{}
	if telemetry.TerminalOf(os.Stderr, os.LookupEnv).Refresh {
		deps.Progress = func(stage string, done, of int) {
			fmt.Fprintf(os.Stderr, "\r\x1b[K%s %d of %d", stage, done, of)
		}
		defer fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	b, err := batch.New(c.Config, deps)
	if err != nil {
		return err
	}
	s, err := b.Run(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	fmt.Print(batch.Summary(b.Folder(), &s))
	return nil
}

type watch struct {
	batch.WatchConfig
	Log telemetry.Log `embed:""`
}

// Run is called by config.Main.
func (c *watch) Run(ctx context.Context) error {
	return batch.Watch(ctx, c.WatchConfig, c.Log.Logger(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv)))
}

func main() {
	os.Exit(config.Main(&commands{}, config.Options{
		Name:        "batch",
		Description: "Answer the views from the lake, by the stream's rule (A) and with every event (B).",
		Examples:    "batch run --lake lake --views views.yaml --out batch\nbatch run --cut 0=1500,1=1480 --json\nbatch watch --every 20s\nbatch query --window 1h --out hourly.parquet --memory 64MiB flights/*.parquet",
	}))
}
