// Package ledger is the generator's own record of what it really sent,
// independent of Kafka: one append-only file per run.
//
// A file is 16 bytes of magic and then entries, each framed as
//
//	length of the body, uint32 | CRC-32C of length and body, uint32 | body
//
// (little-endian), the first being the header. An intent, with the exact bytes
// of one message, is synced before the message is produced; its outcome, ok or
// failed, follows at any later place. An intent without outcome is unknown.
//
// Trust: an intent that was synced is there after a kill. A tail that a kill
// tore is told apart from damage: when no whole entry follows it, it was the
// last write; when one does, reading stops with a *CorruptError. Outcomes are
// not synced one by one, so a kill may turn the last ones back into unknown.
// A checksum finds accidents, not a forger.
package ledger

import "fmt"

// Version of the file's form. A reader that meets another one stops.
const Version = 1

// Header says what a file is the ledger of.
type Header struct {
	Run        string // id of the run
	Topic      string // where the messages go
	Source     string // what they are made of; a restart must have the same
	Partitions int32  // of the topic
	Started    int64  // ms since 1970 UTC
}

// Op is what an intent does to the log.
type Op uint8

// The operations.
const (
	Event       Op = iota + 1 // an event under a new id, or without id
	Duplicate                 // an event whose id this partition was sent before
	Poison                    // bytes that are no valid event
	Punctuation               // a watermark
)

var opNames = [...]string{"unspecified", "event", "duplicate", "poison", "punctuation"}

func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// Intent is one message that was about to be sent.
type Intent struct {
	N          uint64 // 0, 1, 2 … without gaps
	Op         Op
	Partition  int32
	Scheduled  int64  // ms since 1970 UTC; also Kafka's timestamp of the message
	Key, Value []byte // exactly as sent; nil is Kafka's null
}

// Status says what is known of an intent.
type Status uint8

// The statuses.
const (
	Unknown Status = iota
	OK             // Kafka acknowledged it
	Failed         // the client gave up; whether the broker stored it is not known
)

var statusNames = [...]string{"unknown", "ok", "failed"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// Outcome is what became of an intent.
type Outcome struct {
	Status    Status
	Resent    uint32 // how often a restart sent it again, so copies in the log ≤ Resent+1
	Partition int32  // of OK
	Offset    int64  // of OK; -1 when Kafka did not tell the place
	Time      int64  // of OK: when the acknowledgement came, ms since 1970 UTC
	Reason    string // of Failed
}

// Info sums a ledger up.
type Info struct {
	Header  Header
	Intents uint64 // = OK + Failed + Unknown
	OK      uint64
	Failed  uint64
	Unknown uint64
	Resent  uint64 // sends beyond the first of each intent
	Size    int64  // bytes of whole entries
	Torn    int64  // bytes after them, which a kill left
}

// CorruptError is a place that cannot be read and that no kill explains.
type CorruptError struct {
	Path   string // "" when the ledger is not a file
	Offset int64  // byte at which the damaged entry begins
	Cause  string
}

func (e *CorruptError) Error() string {
	name := "the ledger"
	if e.Path != "" {
		name = fmt.Sprintf("ledger %q", e.Path)
	}
	return fmt.Sprintf("cannot read %s at byte %d: %s", name, e.Offset, e.Cause)
}
