package main

import (
	"context"

	"parallax.example/services/batch/ingest"
)

type ingestCommand struct {
	ingest.Config `embed:""`
	Logging       logging `embed:""`
}

func (c *ingestCommand) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	g, err := ingest.New(c.Config, ingest.Deps{Log: log})
	if err != nil {
		return err
	}
	return g.Run(ctx)
}
