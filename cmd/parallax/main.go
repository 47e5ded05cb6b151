// Command parallax runs all of Parallax: the demonstration, and each service by
// itself.
package main

import (
	"context"
	"os"

	"parallax.example/internal/config"
)

// program has one field per subcommand, each in its own file.
type program struct {
	Demo      demoCommand      `cmd:"" help:"Stream a week of flights, answer it twice, explain every difference."`
	Doctor    doctorCommand    `cmd:"" help:"Say what this machine lacks and what to type."`
	Broker    brokerCommand    `cmd:"" help:"Run the embedded Kafka broker."`
	Topics    topicsCommand    `cmd:"" help:"Create the topics that are missing."`
	Generator generatorCommand `cmd:"" help:"Send events to Kafka and keep the ledger."`
	Processor processorCommand `cmd:"" help:"Answer the views as the events come."`
	Ingest    ingestCommand    `cmd:"" help:"Write the events to the lake."`
	Batch     batchCommand     `cmd:"" help:"Answer the views from the lake."`
	Reporter  reporterCommand  `cmd:"" help:"Compare the answers and give the verdict."`

	Failpoints failpointsCommand `cmd:"" help:"List the places at which a program can be told to break."`
	Torture    tortureCommand    `cmd:"" help:"Break everything on purpose and check that no promise is broken."`
}

var options = config.Options{
	Name:        "parallax",
	Description: "The same events, seen twice: by a stream and by a batch, with every difference explained.",
	Examples: `
parallax demo                               # a week of flights in a minute, then the verdict
parallax demo --serve                       # the same, and keep the page open
parallax demo --processes --kill processor  # with a kill -9 half way
parallax doctor                             # what does this machine lack?`,
}

func main() { os.Exit(config.Main(&program{}, options)) }

// execute runs one command line inside this process, until it ends or ctx does.
func execute(ctx context.Context, args []string) error {
	kctx, err := config.Parse(args, &program{}, options)
	if err != nil {
		return err
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	return kctx.Run()
}
