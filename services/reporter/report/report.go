package report

// Schema and Version name the format of report.json.
const (
	Schema  = "parallax-report"
	Version = 1
)

// The outcomes of a comparison and, beside them, the exit codes.
const (
	Explained   = "explained"    // 0: every difference is accounted for by re-folding
	Unexplained = "unexplained"  // 1: at least one is not
	Damaged     = "damaged"      // 1: what differs beyond that, events account for that the stream counted twice, not at all, or after a loss
	NotCompared = "not-compared" // 2: there was nothing that could be compared
)

// Report is one verdict on one cut.
type Report struct {
	Schema      string      `json:"schema"`
	Version     int         `json:"version"`
	Run         Run         `json:"run"`
	Verdict     Verdict     `json:"verdict"`
	Cut         []Partition `json:"cut"`
	Ledger      Ledger      `json:"ledger"`
	Records     Records     `json:"records"`
	Identities  []Identity  `json:"identities"` // of records; those of placements are in the views
	Views       []View      `json:"views"`
	Causes      []Cause     `json:"causes"` // over all views: events once, placements summed
	Differences Differences `json:"differences"`
	Faults      Faults      `json:"unexplained"`
	Damage      *Damage     `json:"damage,omitempty"` // of a stream without exactly once
	Latency     []Latency   `json:"latency"`
	Freshness   []Freshness `json:"freshness"`
}

// Run says what was compared, by what, and in which words to speak of it.
type Run struct {
	ID      string `json:"id"`
	Created Time   `json:"created"`
	Tool    string `json:"tool"` // "parallax 1.2.3"
	Dataset string `json:"dataset,omitempty"`
	Noun    string `json:"noun"`  // what an event is, one of them: "flight"
	Nouns   string `json:"nouns"` // several: "flights"
	Key     string `json:"key"`   // what a key is: "origin"
	Unit    string `json:"unit"`  // of the values: "minutes"; may be empty
	// Why is the data set's own reason for late events, one sentence: "A flight
	// is known only when it has left, so the most delayed ones come last."
	Why string `json:"why,omitempty"`
}

// Verdict is the answer in one code, one sentence and some paragraphs.
type Verdict struct {
	ExitCode    int      `json:"exit_code"`
	Outcome     string   `json:"outcome"`
	Headline    string   `json:"headline"`    // one sentence
	Explanation []string `json:"explanation"` // paragraphs for a newcomer
	// Reason and Advice are given when nothing could be compared.
	Reason string `json:"reason,omitempty"`
	Advice string `json:"advice,omitempty"`
}

// Partition is the cut of one partition and what it holds below it.
type Partition struct {
	Partition int32   `json:"partition"`
	First     int64   `json:"first"`     // its first offset
	End       int64   `json:"end"`       // the cut: the first offset that does not belong to it
	Watermark Time    `json:"watermark"` // at the cut
	Idle      bool    `json:"idle"`      // it holds no event
	Records   Records `json:"records"`
}

// Records counts the messages below the cut; each is in exactly one class.
type Records struct {
	Total       uint64 `json:"total"`
	Valid       uint64 `json:"valid"`
	Duplicate   uint64 `json:"duplicate"`
	Stale       uint64 `json:"stale"`
	DeadLetter  uint64 `json:"dead_letter"`
	Punctuation uint64 `json:"punctuation"`
}

// Ledger counts what the generator recorded of its own sending.
type Ledger struct {
	Sent       uint64 `json:"sent"`       // messages, copies included
	Generated  uint64 `json:"generated"`  // different events
	Duplicated uint64 `json:"duplicated"` // copies beyond the first of an event
	Spoiled    uint64 `json:"spoiled"`    // sent as bytes that are no event
	// Each generated event is in exactly one of the next four. The truth is made
	// of the first two: a client that gave up does not know what the broker stored.
	OK        uint64 `json:"ok"`         // acknowledged by Kafka below the cut
	Found     uint64 `json:"found"`      // the outcome is a failure or not known, but it is in the log
	NotSent   uint64 `json:"not_sent"`   // … and it is not in the log
	BeyondCut uint64 `json:"beyond_cut"` // acknowledged at or after the cut: no part of this comparison
}

// Identity is an equation which must hold: Left equals the sum of Right.
type Identity struct {
	Name      string     `json:"name"`      // stable: "records", "generated-valid", …
	Statement string     `json:"statement"` // for a reader: "events = valid + duplicate + …"
	Left      Quantity   `json:"left"`
	Right     []Quantity `json:"right"`
	Holds     bool       `json:"holds"`
	// Keys is how many keys the equation was checked for one by one; 0 if only in total.
	Keys int `json:"keys,omitempty"`
	// Broken names the first keys for which it does not hold.
	Broken []string `json:"broken,omitempty"`
}

// Quantity is a figure with its name.
type Quantity struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
}
