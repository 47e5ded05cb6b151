package generator

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"parallax.example/internal/ledger"
	"parallax.example/internal/telemetry"
)

// RunCommand is the generator as a program: Config and how it speaks.
type RunCommand struct {
	Config  `embed:""`
	Logging telemetry.Log `embed:""`
}

// Run sends the source, shows how far it is, and prints the summary as JSON.
func (c *RunCommand) Run(ctx context.Context) error {
	terminal := telemetry.TerminalOf(os.Stderr, os.LookupEnv)
	progress := telemetry.NewProgress(os.Stderr, terminal, time.Now)
	g, err := New(c.Config, Deps{Clock: WallClock{}, Log: c.Logging.Logger(progress, terminal)})
	if err != nil {
		return err
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			p := g.Progress()
			progress.Show(fmt.Sprintf("%d of %d sent, %d acknowledged, %d failed", p.Sent, p.Total, p.OK, p.Failed))
			select {
			case <-tick.C:
			case <-done:
				progress.Done()
				return
			}
		}
	}()
	summary, err := g.Run(ctx)
	close(done)
	<-stopped
	if summary.Intents == 0 {
		return err
	}
	text, jerr := json.MarshalIndent(summary, "", "  ")
	if jerr != nil {
		panic("BUG: a summary does not marshal: " + jerr.Error())
	}
	fmt.Println(string(text))
	return err
}

// LedgerCommand reads a ledger.
type LedgerCommand struct {
	File string `arg:"" placeholder:"LEDGER" help:"The ledger."`
	To   string `placeholder:"FILE" help:"Write it as Parquet, a row per message, to this file."`
}

// Run prints what the ledger holds and writes the Parquet file, if asked.
func (c *LedgerCommand) Run(context.Context) (err error) {
	var info ledger.Info
	if c.To == "" {
		info, err = ledger.Walk(c.File, func(*ledger.Intent, *ledger.Outcome) error { return nil })
	} else {
		info, err = ExportFile(c.File, c.To)
	}
	if err != nil {
		return err
	}
	fmt.Printf("run %q of %q into %q: %d messages, %d ok, %d failed, %d unknown, %d sent again\n",
		info.Header.Run, info.Header.Source, info.Header.Topic, info.Intents, info.OK, info.Failed, info.Unknown, info.Resent)
	if info.Torn > 0 {
		fmt.Printf("a kill left %d bytes of an entry at the end; they are ignored\n", info.Torn)
	}
	return nil
}
