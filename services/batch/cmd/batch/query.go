package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"parallax.example/internal/telemetry"
	"parallax.example/services/batch/query"
)

type queryCommand struct {
	Files   []string      `arg:"" help:"Parquet files."`
	Out     string        `required:"" help:"Parquet file that is written, by window and key."`
	Window  time.Duration `default:"1h" help:"Length of the windows, which are tumbling and aligned to the epoch."`
	Time    string        `default:"event_time" help:"Column of the time, a timestamp."`
	Key     string        `default:"key" help:"Column of the key, a text."`
	Value   string        `default:"value" help:"Column of the value, a whole number."`
	Workers int           `default:"0" help:"Row groups at a time. 0: as many as there are cores."`
	Memory  query.Bytes   `default:"0" help:"Memory beyond which what was found goes to disk, such as 64MiB. 0: no bound."`
	Scratch string        `default:"" help:"Folder for what goes to disk. Empty: the system's."`
	JSON    bool          `name:"json" help:"Print the totals as JSON instead of a summary."`
}

// Run is called by config.Main.
func (c *queryCommand) Run(ctx context.Context) error {
	if c.Window < time.Microsecond || c.Window%time.Microsecond != 0 || c.Workers < 0 {
		return errors.New("cannot query: --window must be whole microseconds, at least one, and --workers must not be negative")
	}
	if c.Memory > 0 {
		// The collector keeps below it; what the runtime itself holds is not ours to choose.
		debug.SetMemoryLimit(int64(c.Memory) * 3 / 4)
	}
	began := time.Now()
	progress := telemetry.NewProgress(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv), time.Now)
	t, err := query.Write(ctx, query.Config{
		Files: c.Files, Time: c.Time, Key: c.Key, Value: c.Value, Window: c.Window.Microseconds(),
		Workers: c.Workers, Memory: c.Memory, Scratch: c.Scratch,
		Progress: func(p query.Progress) {
			if took := time.Since(began); took > 2*time.Second {
				progress.Show(fmt.Sprintf("row groups: %d of %d, %.1f million rows/s, %d MiB on disk", p.Done, p.Of, float64(p.Rows)/1e6/took.Seconds(), p.Spilled>>20))
			}
		},
	}, c.Out)
	progress.Done()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(t)
	}
	fmt.Printf("%d rows read, %d with a null left out: %d rows in %s; %d MiB went to disk\n", t.Read, t.Nulls, t.Rows, c.Out, t.Spilled>>20)
	return nil
}
