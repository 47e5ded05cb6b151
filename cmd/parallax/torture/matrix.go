package torture

import (
	"context"
	"time"

	"parallax.example/cmd/parallax/torture/check"
)

// row is one fault of the matrix.
type row struct {
	name  string // on the command line
	group string // of rows: processor, generator, ingest, batch, reporter, broker, hanging, stop
	what  string // what is done
	wants int    // how often it must have happened for a run to count
	lake  bool   // with ingest, batch and reporter, and all that they say checked
	// broker rows break Kafka itself: they need --kafka-home and run alone.
	broker bool
	// joins rows end members while others join. The embedded broker's group may wait
	// for such a one for ever: they need Apache Kafka.
	joins bool
	long  bool // runs only when it is named, and alone

	// lasts is how long the load is sent, where a fault needs it for longer than usual.
	lasts  time.Duration
	events int // messages of a run when nobody says otherwise; 0 is the usual number

	// plan changes what the run drew from its seed.
	plan func(r *run)

	// What the row does: before the programs start, while the load is sent, instead
	// of the batch's and the reporter's plain run, or instead of everything.
	before, during, batch, reporter func(ctx context.Context, r *run) error
	whole                           func(ctx context.Context, r *run) (*check.Report, error)
}

// matrix is every row, in the order of the table.
var matrix = func() []row {
	var all []row
	for _, part := range [][]row{controlRows, processorRows, processorPoints, generatorRows, ingestRows, batchRows, reporterRows, brokerRows, stopRows, longRows} {
		all = append(all, part...)
	}
	return all
}()

var controlRows = []row{
	{name: "none", group: "control", what: "nothing: the load alone, and all that is said of it", lake: true},
}
