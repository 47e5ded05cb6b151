package web

// Phase of a run, in order.
type Phase string

// The phases.
const (
	Starting  Phase = "starting"
	Streaming Phase = "streaming"
	Batch     Phase = "batch"
	Verdict   Phase = "verdict" // comparing
	Done      Phase = "done"
	Failed    Phase = "failed" // could not go on; Note says why
)

// Live is the state of a run at one moment, as the page shows it. Times of
// events are µs UTC, all others ms. Nil means: not known yet.
type Live struct {
	Run     string `json:"run"`
	Phase   Phase  `json:"phase"`
	Note    string `json:"note"`       // one sentence on what is going on
	Elapsed int64  `json:"elapsed_ms"` // since the run began

	View string `json:"view"` // name of the view that the answers and windows are of
	Unit string `json:"unit"` // of the values: "minutes"

	Stream *Answer `json:"stream"` // of the windows that are closed so far
	Batch  *Answer `json:"batch"`  // reading B

	Totals     Totals      `json:"totals"`
	Views      []View      `json:"views"`      // as in views.yaml
	Windows    []Window    `json:"windows"`    // by start; over all keys
	Partitions []Partition `json:"partitions"` // by number
	Latency    *Latency    `json:"latency"`
	Outcome    *Outcome    `json:"outcome"` // once there is a verdict
}

// Answer is one side's answer over all keys and windows.
type Answer struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean"`
}

// Totals count events since the run began; Late counts placements in the view.
type Totals struct {
	Expected    uint64 `json:"expected"` // 0: not known
	Generated   uint64 `json:"generated"`
	Counted     uint64 `json:"counted"`
	Late        uint64 `json:"late"`
	Duplicates  uint64 `json:"duplicates"`
	DeadLetters uint64 `json:"dead_letters"`
}

// View is what the stream has published of one question so far.
type View struct {
	Name      string `json:"name"`
	Words     string `json:"words"`     // "hourly windows"
	Rows      uint64 `json:"rows"`      // final ones
	Early     uint64 `json:"early"`     // of windows still open
	Retracted uint64 `json:"retracted"` // of sessions that became part of another one
	Late      uint64 `json:"late"`      // placements left out
}

// Window is one window's two means over all keys.
type Window struct {
	Start  int64    `json:"start"`
	Stream *float64 `json:"stream"`
	Batch  *float64 `json:"batch"`
}

// Partition is how far one partition has come.
type Partition struct {
	ID        int32  `json:"id"`
	Watermark *int64 `json:"watermark"`
	Lag       int64  `json:"lag"` // messages in Kafka that the processor has not committed yet
}

// Latency is from an event's scheduled send to the moment when the row that it
// caused could be read.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
}

// Outcome is the comparison's verdict.
type Outcome struct {
	Explained   bool   `json:"explained"`
	Damaged     bool   `json:"damaged"`     // by a stream without exactly once
	Unexplained uint64 `json:"unexplained"` // findings; 0 without either of them: nothing could be compared
	Sentence    string `json:"sentence"`
	Report      bool   `json:"report"` // report.html can be opened
}
