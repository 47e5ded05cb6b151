package report

import (
	"math"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// View is the comparison of one view. Its figures cover the windows that are
// closed below the cut; open ones are only counted.
type View struct {
	ID         string     `json:"id"` // view.View.ID
	Name       string     `json:"name"`
	Window     Window     `json:"window"`
	Lateness   int64      `json:"lateness_us"`
	Aggregates []string   `json:"aggregates"` // which of Figures the view asks for
	Cells      CellCounts `json:"cells"`
	Sides      Sides      `json:"sides"`
	Identities []Identity `json:"identities"`
	Causes     []Cause    `json:"causes"`
	Late       Late       `json:"late"`
	Series     []Point    `json:"series"` // by window start
	Stages     Stages     `json:"stages"`
}

// Stages count the rows that the stream published before and at the end of its
// windows. How many of the first two there are depends on when commits fell.
type Stages struct {
	Early     uint64 `json:"early"`     // the window had not ended
	OnTime    uint64 `json:"on_time"`   // it had ended and still took events
	Final     uint64 `json:"final"`     // it was closed
	Retracted uint64 `json:"retracted"` // a published session became part of another one
}

// Window is how the view cuts time, in µs.
type Window struct {
	Kind  string `json:"kind"`             // tumbling, hopping, session
	Size  int64  `json:"size_us"`          // 0 for sessions
	Every int64  `json:"every_us"`         // = size for tumbling windows, 0 for sessions
	Gap   int64  `json:"gap_us,omitempty"` // of sessions
	Words string `json:"words"`            // "hourly windows"
}

// CellCounts sorts a view's cells by their verdict. A cell is one partition's
// part of a window of a key; of a session view it is a whole group, see Cell.
type CellCounts struct {
	Closed      int `json:"closed"`            // = same + explained + unexplained + damaged
	Same        int `json:"same"`              // truth, stream, A and B are equal
	Explained   int `json:"explained"`         // they differ, and the causes account for it
	Unexplained int `json:"unexplained"`       //
	Open        int `json:"open"`              // not closed at the cut: not compared, not wrong
	Partial     int `json:"partial"`           // begun before the stream began to count the view anew: not compared
	Damaged     int `json:"damaged,omitempty"` // the stream counted listed events twice, or not at all
	StreamIsA   int `json:"stream_is_a"`       // closed cells where the stream equals A byte for byte
	MergedIsB   int `json:"merged_is_b"`       // … where A merged with the excluded placements equals B
	TruthIsB    int `json:"truth_is_b"`        // … where the truth, with the named causes, equals B
}

// Sides are the four answers.
type Sides struct {
	Truth  Side `json:"truth"`  // the naive fold over the ledger
	Stream Side `json:"stream"` // the committed final rows
	A      Side `json:"a"`      // the batch by the stream's rule
	B      Side `json:"b"`      // the batch with every event
}

// Side is one answer's total over a view.
type Side struct {
	Rows int `json:"rows"` // windows of keys, cells of several partitions merged
	Figures
}

// Figures are the aggregates of a row or of many, for reading.
type Figures struct {
	Count uint64 `json:"count"`
	Sum   int64  `json:"sum"` // 0 when WholeSum is given
	// WholeSum is the sum in decimal when it does not fit 64 bits.
	WholeSum string  `json:"whole_sum,omitempty"`
	Min      int64   `json:"min"` // 0 when Count is 0, like Max and Mean
	Max      int64   `json:"max"`
	Mean     float64 `json:"mean"`
	// Quantiles and Distinct are given where the view asks for them.
	*Quantiles
	Distinct *uint64 `json:"distinct,omitempty"` // about how many subjects
}

// Quantiles of the values, within 1 %.
type Quantiles struct {
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
	P99 int64 `json:"p99"`
}

// NewFigures reads an aggregate, with the sketches that it has.
func NewFigures(a result.Agg) Figures {
	if a.Count == 0 {
		return Figures{}
	}
	f := Figures{Count: a.Count, Min: a.Min, Max: a.Max, Mean: a.Mean()}
	if a.Quantiles != "" {
		f.Quantiles = &Quantiles{a.Quantile(50), a.Quantile(95), a.Quantile(99)}
	}
	if a.Distinct != "" {
		n := a.DistinctSubjects()
		f.Distinct = &n
	}
	if sum, fits := a.Sum(); fits {
		f.Sum = sum
	} else {
		f.WholeSum = a.BigSum().String()
	}
	return f
}

// Equal reports whether both say the same.
func (f Figures) Equal(g Figures) bool {
	if f.Quantiles != nil && g.Quantiles != nil && *f.Quantiles == *g.Quantiles {
		g.Quantiles = f.Quantiles
	}
	if f.Distinct != nil && g.Distinct != nil && *f.Distinct == *g.Distinct {
		g.Distinct = f.Distinct
	}
	return f == g
}

// Plain reads the aggregates that need no sketch.
func Plain(p result.Plain) Figures { return NewFigures(result.Agg{Plain: p}) }

// Point is all keys of the windows with one start. Sessions begin anywhere: a
// point of theirs is all those that begin within one Slot.
type Point struct {
	Start  Time    `json:"start"` // of the windows, or of the slot
	Truth  Figures `json:"truth"`
	Stream Figures `json:"stream"`
	A      Figures `json:"a"`
	B      Figures `json:"b"`
	Late   uint64  `json:"late"` // late placements
}

// Slot is the start of the Point that a window with this start (µs) belongs to:
// itself, and for sessions the last multiple of their gap.
func Slot(w view.Window, start int64) int64 {
	if w.Kind != view.Session {
		return start
	}
	return start - (start%w.Gap+w.Gap)%w.Gap
}

// Late says where a view's late placements went.
type Late struct {
	Figures             // of the late placements; Count is how many
	Events    uint64    `json:"events"`      // different events behind them
	Beyond    []Bucket  `json:"beyond"`      // µs from the window's close to the watermark at the decision
	HourOfDay []uint64  `json:"hour_of_day"` // 24 counts, by the hour of the event time, UTC
	TopKeys   []KeyLate `json:"top_keys"`    // most late placements first
}

// KeyLate is one key's late placements.
type KeyLate struct {
	Key       string  `json:"key"`
	Late      Figures `json:"late"`
	B         Figures `json:"b"`         // the key's whole answer, to compare with
	Streamed  Figures `json:"stream"`    // what the stream counted
	LateShare float64 `json:"late_part"` // late / all placements of the key, 0 to 1
}

// NoEnd is the To of a bucket without an upper bound.
const NoEnd = math.MaxInt64

// Bucket counts what lies in From ≤ x < To.
type Bucket struct {
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Count uint64 `json:"count"`
}
