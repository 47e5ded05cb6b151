package main

import (
	"context"
	"os"
	"time"

	"parallax.example/internal/telemetry"
	"parallax.example/services/reporter"
	"parallax.example/services/reporter/web"
)

type reporterCommand struct {
	reporter.Config `embed:""`
	Follow          bool    `help:"Collect from now on with a live page, and compare as soon as the batch's answer is there."`
	Page            string  `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"With --follow: where the live page listens; port 0 takes a free one."`
	PageFile        string  `placeholder:"FILE" help:"With --follow: write the page's address to this file once it is open."`
	Serve           bool    `help:"With --follow: keep the page after the verdict, until Ctrl-C."`
	Logging         logging `embed:""`
}

func (c *reporterCommand) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	r, err := reporter.New(c.Config, reporter.Deps{
		Log: log, Summary: os.Stdout, Color: telemetry.TerminalOf(os.Stdout, os.LookupEnv).Colour, Now: time.Now,
	})
	if err != nil {
		return err
	}
	if !c.Follow {
		return r.Run(ctx)
	}
	l, err := web.Listen(ctx, c.Page)
	if err != nil {
		return err
	}
	if err := tell(c.PageFile, l.Addr().String()); err != nil {
		return err
	}
	return r.Follow(ctx, l, c.Serve)
}
