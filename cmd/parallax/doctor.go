package main

import (
	"context"
	"os"

	"parallax.example/cmd/parallax/doctor"
)

type doctorCommand struct {
	Runs string `default:"runs" placeholder:"DIR" help:"Where runs will be written."`
	JSON bool   `help:"Print JSON."`
}

func (c *doctorCommand) Run(ctx context.Context) error {
	report := doctor.Examine(ctx, doctor.ThisMachine(), c.Runs)
	write := report.WriteText
	if c.JSON {
		write = report.WriteJSON
	}
	if err := write(os.Stdout); err != nil {
		return err
	}
	return report.Err()
}
