// Command generator replays flights, or a recorded log, into Kafka.
package main

import (
	"os"

	"parallax.example/internal/config"
	"parallax.example/services/generator"
)

type cli struct {
	Run    generator.RunCommand    `cmd:"" help:"Send events."`
	Ledger generator.LedgerCommand `cmd:"" help:"Sum a ledger up, and turn it into Parquet."`
}

func main() {
	os.Exit(config.Main(&cli{}, config.Options{
		Name:        "generator",
		Description: "Sends real events to Kafka at a chosen speed and records what was really sent.",
		Examples: `generator run --speed max                    # the built-in week, as fast as possible
generator run --dataset flights-3m.parquet   # the half year of the npm package vega-datasets 3.2.1
generator ledger generator.ledger --to l.parquet`,
	}))
}
