package main

import (
	"context"
	"os"

	"parallax.example/internal/config"
)

// program has one field per part.
type program struct {
	All        allCommand        `cmd:"" help:"Throughput, latency and scale, one after the other."`
	Throughput throughputCommand `cmd:"" help:"CPU per event of every engine over the same backlog."`
	Latency    latencyCommand    `cmd:"" help:"From the scheduled send of the event that closes a window to its final row at a reader."`
	Scale      scaleCommand      `cmd:"" help:"The processor alone: more events, more live cells, more overlap, exactly once against at least once."`
}

var options = config.Options{
	Name:        "peers",
	Description: "Measure the processor against Kafka Streams, Flink and plain Go loops on the same records in the same Apache Kafka.",
	Examples: `
peers all                                             # everything, results into bench/peers/results
peers all --small --out /tmp/smoke                    # the built-in week: does it all work? some minutes
peers throughput --engines parallax,flink-1s --runs 5 # two engines, five times in turns
peers latency --rates 20000 --seconds 60              # one rate, a longer look
peers scale --brokers 10.0.0.5:9092                   # against a Kafka that runs already`,
}

// allCommand runs every part with its defaults.
type allCommand struct {
	Setup `embed:""`
	Runs  int `default:"3" help:"Runs of each engine; medians are shown."`
}

// Run is called by config.Main.
func (c *allCommand) Run(ctx context.Context) error {
	parts := []interface {
		measure(context.Context, *lab) error
	}{
		&throughputCommand{Setup: c.Setup, Runs: c.Runs},
		&latencyCommand{Setup: c.Setup, Rates: defaultRates, Runs: c.Runs, Seconds: 10, Warmup: 10},
		&scaleCommand{Setup: c.Setup, Runs: c.Runs, Parts: scaleParts},
	}
	return c.with(ctx, func(l *lab) error {
		for _, part := range parts {
			if err := part.measure(ctx, l); err != nil {
				return err
			}
		}
		return nil
	})
}

func main() { os.Exit(config.Main(&program{}, options)) }
