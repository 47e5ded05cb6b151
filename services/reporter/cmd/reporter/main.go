// Command reporter compares truth, stream and batch, and gives the verdict.
package main

import (
	"context"
	"os"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/telemetry"
	"parallax.example/services/reporter"
	"parallax.example/services/reporter/web"
)

type command struct {
	reporter.Config
	Jobs      string        `placeholder:"DIR" help:"Folder of the batch's jobs: compare each one that is finished, and show all of it on a live page, until asked to end. --batch is not used then."`
	Page      string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"With --jobs: where the live page listens; port 0 takes a free one."`
	Published bool          `help:"With --jobs: let the page listen on any address, as inside a container, whose published port decides who can reach it. The page answers under the names of loopback only."`
	Log       telemetry.Log `embed:""`
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
	if c.Jobs == "" {
		return r.Run(ctx)
	}
	open := web.Listen
	if c.Published {
		open = web.ListenPublished
	}
	l, err := open(ctx, c.Page)
	if err != nil {
		return err
	}
	return r.Watch(ctx, l, c.Jobs)
}

func main() {
	os.Exit(config.Main(&command{}, config.Options{
		Name:        "reporter",
		Description: "Compare what the stream and the batch answered with what was really sent.",
		Examples:    "reporter --batch batch/20260101T000000Z --out report  # exit code 0: everything is explained\nreporter --jobs batch                                 # a page, and a verdict on each job",
	}))
}
