// Package answer is the contract on what a batch job leaves behind: which files
// lie in its folder, their columns, and what _SUCCESS.json says.
//
//	<job>/_SUCCESS.json              Success; without it the job does not exist
//	<job>/rows/….parquet             cells in both readings
//	<job>/judgements/….parquet       what was not counted, and why
//
// What it may be trusted for: Open accepts only a complete job of the version
// it knows and holds every listed file against its size and SHA-256, so that
// whatever Rows and Judgements yield is what the job wrote. Rows refuses
// sketches that are not canonical or count other events than their row.
package answer

import (
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
)

// Version of the files and of _SUCCESS.json. 1 had neither sessions nor sketches.
const Version = 2

// SuccessName is the file that makes a job exist.
const SuccessName = "_SUCCESS.json"

// Reading is how the batch read the log.
type Reading string

// The readings.
const (
	A Reading = "A" // by the stream's own rule
	B Reading = "B" // with every event, as of the cut
)

// Success is what _SUCCESS.json says.
type Success struct {
	Version    int         `json:"version"`
	Job        string      `json:"job"`
	Topic      string      `json:"topic"`
	TopicID    string      `json:"topic_id"`
	Views      []View      `json:"views"`      // by ID
	Partitions []Partition `json:"partitions"` // all of the topic
	Files      []File      `json:"files"`      // by path
}

// View names a view that was asked.
type View struct {
	Name string `json:"name"`
	ID   string `json:"id"` // view.View.ID: name@hash
}

// Partition is the totals of one partition up to the cut.
// Records = Events + DeadLetters + Punctuations; Events = Valid + Duplicates + Stale.
type Partition struct {
	Partition    int32 `json:"partition"`
	Start        int64 `json:"start"` // the first offset read
	Cut          int64 `json:"cut"`   // the first offset not read; Start when the partition is empty
	Records      int64 `json:"records"`
	Events       int64 `json:"events"`
	Valid        int64 `json:"valid"`
	Duplicates   int64 `json:"duplicates"`
	Stale        int64 `json:"stale"`
	DeadLetters  int64 `json:"dead_letters"` // punctuation of unknown senders among them
	Punctuations int64 `json:"punctuations"`
	// RepeatedIDs is what B leaves out: the events whose id stands before them,
	// those that A calls stale among them.
	RepeatedIDs int64 `json:"repeated_ids"`
	// Watermark at the cut, µs UTC; nil when nothing was believed yet.
	Watermark *int64       `json:"watermark"`
	Views     []Placements `json:"views"` // by ID
}

// Placements are a view's totals in a partition. A's placements of valid events
// are Counted + Late; CountedB are B's.
type Placements struct {
	View     string `json:"view"`
	Counted  int64  `json:"counted"`
	Late     int64  `json:"late"`
	CountedB int64  `json:"counted_b"`
}

// File is one data file, by its path within the job's folder.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
}

// Row is one cell in one reading.
type Row struct {
	Reading Reading
	Cell    result.Cell
	Agg     result.Agg
	// Closed tells whether the cell's window was closed in its partition at the
	// cut, and ClosedAt by the record at which offset. Only closed rows of A are final.
	Closed   bool
	ClosedAt int64
}

// Judgement is an event, or one of its placements, that A or B did not count.
type Judgement struct {
	Partition int32
	Offset    int64
	Cell      result.Cell  // View and Span only of a late placement; Key always
	CauseA    result.Cause // late, duplicate or stale
	CauseB    result.Cause // duplicate, or 0: B counts it
	Time      int64        // event time, µs UTC
	Value     int64
	HasID     bool
	Producer  string
	Seq       uint64
}

// The folders of the two tables.
const (
	RowsFolder       = "rows"
	JudgementsFolder = "judgements"
)

var rowColumns = parquet.Schema{
	{Name: "reading", Kind: parquet.String},
	{Name: "view", Kind: parquet.String},
	{Name: "hash", Kind: parquet.String},
	{Name: "key", Kind: parquet.String},
	{Name: "window_start", Kind: parquet.Timestamp},
	{Name: "window_end", Kind: parquet.Timestamp}, // of a session: where the reading's own ends
	{Name: "partition", Kind: parquet.Int32},
	{Name: "count", Kind: parquet.Uint64},
	{Name: "sum_high", Kind: parquet.Int64}, // the sum is sum_high·2^64 + sum_low
	{Name: "sum_low", Kind: parquet.Uint64},
	{Name: "min", Kind: parquet.Int64},
	{Name: "max", Kind: parquet.Int64},
	{Name: "closed_at", Kind: parquet.Int64, Optional: true}, // null: open
	// The canonical bytes of the sketches, null where the view does not ask.
	{Name: "quantiles", Kind: parquet.Bytes, Optional: true},
	{Name: "distinct", Kind: parquet.Bytes, Optional: true},
}

// readableColumns stand behind the others, for people who open a file with other
// programs: what the sketches say, null without one. They are never read here.
var readableColumns = parquet.Schema{
	{Name: "p50", Kind: parquet.Int64, Optional: true},
	{Name: "p95", Kind: parquet.Int64, Optional: true},
	{Name: "p99", Kind: parquet.Int64, Optional: true},
	{Name: "distinct_estimate", Kind: parquet.Uint64, Optional: true},
}

var judgementColumns = parquet.Schema{
	{Name: "partition", Kind: parquet.Int32},
	{Name: "offset", Kind: parquet.Int64},
	{Name: "view", Kind: parquet.String, Optional: true},
	{Name: "hash", Kind: parquet.String, Optional: true},
	{Name: "window_start", Kind: parquet.Timestamp, Optional: true},
	{Name: "window_end", Kind: parquet.Timestamp, Optional: true},
	{Name: "cause_a", Kind: parquet.String},
	{Name: "cause_b", Kind: parquet.String, Optional: true}, // null: counted
	{Name: "key", Kind: parquet.String},
	{Name: "event_time", Kind: parquet.Timestamp},
	{Name: "value", Kind: parquet.Int64},
	{Name: "producer", Kind: parquet.String, Optional: true},
	{Name: "seq", Kind: parquet.Uint64, Optional: true},
}
