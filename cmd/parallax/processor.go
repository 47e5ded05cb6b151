package main

import (
	"context"

	"parallax.example/services/processor"
)

type processorCommand struct {
	processor.Config `embed:""`
	Logging          logging `embed:""`
}

func (c *processorCommand) Run(ctx context.Context) error {
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
