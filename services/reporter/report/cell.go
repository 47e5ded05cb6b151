package report

// The verdicts on a cell.
const (
	CellSame        = "same"
	CellExplained   = "explained"
	CellUnexplained = "unexplained"
	CellOpen        = "open"
	CellPartial     = "partial"
	CellDamaged     = "damaged" // the stream counted events twice or not at all, or others than it should
)

// The causes of differences. Causes of the stream lie between A and B, the
// others between the truth and B.
const (
	CauseLate      = "late"
	CauseSplit     = "split" // of sessions: it stands for no event
	CauseStale     = "stale"
	CauseForeign   = "foreign"
	CauseElsewhere = "duplicate-in-another-partition"
	CauseLost      = "lost" // never an excuse: it names what is missing, and the run fails
	// Damage of a stream without exactly once: no excuses either.
	CauseAgain   = "counted-again"
	CauseSkipped = "not-counted"
	// What follows from input that the stream has lost.
	CauseAdmitted = "counted-after-loss"
	CauseRefused  = "left-out-after-loss"
	CauseUnclosed = "open-after-loss"
)

// Meaning returns what a cause says, in words for a newcomer.
func Meaning(cause string) string {
	switch cause {
	case CauseLate:
		return "came after its window had closed: the stream left it out, the batch counted it"
	case CauseSplit:
		return "the stream had closed a session when an event came that connects it with a later one: the same events, in several sessions of the stream and in one of the batch"
	case CauseStale:
		return "came so far behind its producer's newest event that the stream no longer checks for duplicates: the stream left it out, the batch decided exactly"
	case CauseForeign:
		return "was sent by someone else than the generator: it is in the log and in both answers, but not in the ledger"
	case CauseElsewhere:
		return "is in two partitions: each partition counted it once, the truth counts it once in all"
	case CauseLost:
		return "was acknowledged by Kafka and is not in the log"
	case CauseAgain:
		return "was taken in again by the stream after a death, and counted once more"
	case CauseSkipped:
		return "was committed by the stream before a death, and never counted"
	case CauseAdmitted:
		return "was counted by the stream, which had lost the input that makes it late or a copy, or that keeps its session open"
	case CauseRefused:
		return "was left out by the stream, which had lost the input that makes it be in time"
	case CauseUnclosed:
		return "is in a window that the stream still holds open, since it has lost the input that closes it"
	}
	return ""
}

// Cell is one partition's part of one window of one key, seen four times. A
// side that has no row is nil.
//
// The sides can cut one stretch of time into different sessions, so those are
// compared by groups: all sessions of a key in a partition that are connected,
// on any side or by the events that the causes list. Each cell of a group is
// listed, has the group's verdict and names its Group; the causes stand at one
// of them.
type Cell struct {
	View      string      `json:"view"` // the view's name
	Key       string      `json:"key"`
	Start     Time        `json:"start"`
	End       Time        `json:"end"`
	Partition int32       `json:"partition"`
	Verdict   string      `json:"verdict"`
	Truth     *Figures    `json:"truth"`
	Stream    *Figures    `json:"stream"`
	A         *Figures    `json:"a"`
	B         *Figures    `json:"b"`
	Causes    []CellCause `json:"causes,omitempty"`
	Group     *Span       `json:"group,omitempty"` // of a session
}

// Span is a stretch of event time, without its end.
type Span struct {
	Start Time `json:"start"`
	End   Time `json:"end"`
}

// CellCause is one cause of a cell's difference.
type CellCause struct {
	Cause    string     `json:"cause"`
	Figures             // of the events it stands for
	Examples []EventRef `json:"examples"` // the first ones
}

// EventRef names an event by its identity and its place in Kafka.
type EventRef struct {
	ID        string `json:"id,omitempty"` // producer/seq; empty for an event without one
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // −1: not in the log
	Time      Time   `json:"event_time"`
	Value     int64  `json:"value"`
}

// Cause is a cause's total.
type Cause struct {
	Cause      string `json:"cause"`
	Meaning    string `json:"meaning"`
	Events     uint64 `json:"events"`     // 0 for a split
	Placements uint64 `json:"placements"` // an event can be in several windows
	Cells      int    `json:"cells"`      // cells it made differ
}

// Differences are the cells where the four sides are not equal, those with an
// unexplained difference first, then the largest difference of sums first.
type Differences struct {
	Total  int    `json:"total"`
	Listed []Cell `json:"listed"` // at most MaxListed
}

// Faults are what the causes do not account for.
type Faults struct {
	Total  int     `json:"total"`
	Listed []Fault `json:"listed"` // at most MaxListed
}

// MaxListed bounds the lists in report.json; the files of cells hold all.
const MaxListed = 200

// Fault is one unexplained finding. View to Partition are given when it
// belongs to a cell.
type Fault struct {
	Check     string     `json:"check"` // stable: "stream-a", "a-b", "truth-b", "exclusions", …
	What      string     `json:"what"`  // one sentence
	View      string     `json:"view,omitempty"`
	Key       string     `json:"key,omitempty"`
	Start     *Time      `json:"start,omitempty"`
	End       *Time      `json:"end,omitempty"`
	Partition *int32     `json:"partition,omitempty"`
	Want      *Figures   `json:"want,omitempty"`
	Got       *Figures   `json:"got,omitempty"`
	Events    []EventRef `json:"events,omitempty"`
}
