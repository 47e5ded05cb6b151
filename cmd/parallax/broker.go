package main

import (
	"context"

	"parallax.example/internal/broker"
)

type brokerCommand struct {
	Addr     string  `default:"127.0.0.1:9092" placeholder:"HOST:PORT" help:"Where to listen; port 0 takes a free one."`
	DataDir  string  `placeholder:"DIR" help:"Keep the records here; without it, in memory."`
	AddrFile string  `placeholder:"FILE" help:"Write the address to this file once it is open."`
	Logging  logging `embed:""`
}

func (c *brokerCommand) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	b, err := broker.Start(broker.Config{Addr: c.Addr, DataDir: c.DataDir, Log: log})
	if err != nil {
		return err
	}
	defer b.Close()
	log.Info("embedded broker listens", "address", b.Addr())
	if err := tell(c.AddrFile, b.Addr()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
