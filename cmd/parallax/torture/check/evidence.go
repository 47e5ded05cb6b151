package check

import (
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/gather"
)

// Evidence is everything that a run left behind. The checks do not change it.
type Evidence struct {
	Views  *view.File
	Topics kafka.Topics

	// What a reader of committed records finds after the run, from the first
	// offset to the end.
	Events, Results, Excluded, DeadLetters, Changelog Topic

	Group  []Position // what the processors' group has committed, by partition
	Ledger []Message  // in the order in which they were to be sent

	Lake  string         // folder of the lake; "" when the run had none
	Batch *gather.Answer // nil when the run had no batch
	// Reporter is why the reporter did not say "explained"; "" when it did, or
	// when the run had none.
	Reporter string

	Fault Fault
	// Bound is how long after a fault the first new result may take.
	Bound time.Duration
	// Weaker says that the processors were not told to keep exactly once. Then only
	// what was answered is judged, not how it was committed.
	Weaker bool
	// Retried says that Kafka itself was interrupted, so that a message may have
	// been stored where the sender was not told.
	Retried bool
}

// Topic is what one topic holds.
type Topic struct {
	Name    string
	Records []Record        // by partition, then offset
	Ends    []kafka.Offsets // by partition
	// Live is what a reader saw that followed during the whole run; nil when
	// nobody did.
	Live []Record
}

// Record is one committed message. A nil Value is a tombstone.
type Record struct {
	Partition  int32
	Offset     int64
	Key, Value []byte
}

// Position is a committed offset.
type Position struct {
	Offset   int64 // to be read next; -1 when nothing is committed
	Metadata string
}

// Message is one intent of a ledger and what became of it.
type Message struct {
	ledger.Intent
	ledger.Outcome
}

// Fault is what was done to the run.
type Fault struct {
	Name  string
	Wants int // how often it must have happened for the run to count
	Fired int // how often it did
	// Recoveries has one entry per affected partition of each fault: how long
	// after it the first new result was visible. Waiting says how many of them
	// saw none.
	Recoveries []time.Duration
	Waiting    int
}
