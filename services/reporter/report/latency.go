package report

// Latency is a distribution of wall-clock lengths in ms.
type Latency struct {
	Name     string   `json:"name"`     // "final rows", "updates"
	Start    string   `json:"start"`    // what the clock starts at, in words
	End      string   `json:"end"`      // what it ends at
	Count    uint64   `json:"count"`    // negatives included
	Negative uint64   `json:"negative"` // ends before they start: a clock is wrong
	Lowest   int64    `json:"lowest_ms"`
	P50      int64    `json:"p50_ms"`
	P90      int64    `json:"p90_ms"`
	P99      int64    `json:"p99_ms"`
	P999     int64    `json:"p999_ms"`
	Highest  int64    `json:"highest_ms"`
	Buckets  []Bucket `json:"buckets"` // ms; the first may lie below zero; empty buckets are left out at both ends
}

// Freshness is how long one side's answer took, in wall-clock ms.
type Freshness struct {
	Side   string `json:"side"`  // "stream", "batch"
	Start  string `json:"start"` // what the clock starts at, in words
	End    string `json:"end"`
	Length int64  `json:"length_ms"`
}
