// Package event is the contract with producers: what one Kafka message of
// parallax.events says, its two wire forms (Protobuf and JSON), and the limits
// outside of which a message is a dead letter.
//
// The package is pure. Decoding is total: any bytes give a Record within the
// limits or an *Invalid with a stable reason, never a guess and never a panic.
// It does not know who may send a punctuation; its readers decide that.
package event

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Limits of the contract. Lengths are bytes of UTF-8; times are µs UTC since 1970.
const (
	MaxProducer = 64
	MaxKey      = 256
	MaxSubject  = 256
	MaxSender   = 64

	// MaxMessage bounds a whole message in bytes: fields that this version does
	// not know, and white space, must not grow what is kept of it elsewhere.
	MaxMessage = 64 << 10

	// MinTime and EndTime bound an event time: MinTime ≤ t < EndTime.
	MinTime int64 = 0
	EndTime int64 = 7258118400000000 // 2200-01-01T00:00:00Z

	// MaxWatermark is the last watermark a punctuation may carry,
	// 9999-12-31T23:59:59Z. It closes every window that an event can open.
	MaxWatermark int64 = 253402300799000000
)

// Kind tells the two record types apart.
type Kind uint8

// The record types.
const (
	KindEvent Kind = iota + 1
	KindPunctuation
)

// Event is one fact. Its byte slices alias the bytes it was decoded from, so
// they are valid only as long as those are.
type Event struct {
	Producer []byte // empty without an identity
	Seq      uint64
	HasID    bool   // Producer and Seq are both given
	Key      []byte // what the views group by
	Subject  []byte // may be empty
	Time     int64  // event time, µs UTC
	Value    int64  // fixed-point; the unit is the data set's
}

// Punctuation says that no event before Watermark (µs UTC) is still to come.
type Punctuation struct {
	Sender    []byte
	Watermark int64
}

// Record is one decoded message. Kind says which of the two parts is set.
type Record struct {
	Kind        Kind
	Event       Event
	Punctuation Punctuation
}

// Reason is a stable, machine-readable cause for refusing a message.
type Reason string

// The reasons. They are part of the dead letter's contract.
const (
	Empty        Reason = "empty"          // no bytes at all (a tombstone, for example)
	Malformed    Reason = "malformed"      // neither valid Protobuf nor valid JSON of the contract
	NotUTF8      Reason = "not-utf8"       // a text is not UTF-8
	Missing      Reason = "missing"        // a required field is absent
	Incomplete   Reason = "incomplete-id"  // producer without seq, or seq without producer
	TooLong      Reason = "too-long"       // a text, or the whole message, is longer than its limit
	OutOfRange   Reason = "out-of-range"   // a time or number is outside its range
	Undecided    Reason = "undecided"      // both an event and a punctuation
	UnknownForm  Reason = "unknown-form"   // the first byte belongs to no wire form
	Unauthorized Reason = "unknown-sender" // a punctuation from a sender that the configuration does not name
)

// Invalid is why bytes are not a record.
type Invalid struct {
	Reason Reason
	Detail string
}

func (e *Invalid) Error() string { return string(e.Reason) + ": " + e.Detail }

func invalid(r Reason, format string, args ...any) *Invalid {
	return &Invalid{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// Decode reads one message into r. On success r aliases b, except for JSON
// texts with escapes, which are copied. It allocates nothing for Protobuf and
// for JSON in its usual shape. The error is always an *Invalid.
func (r *Record) Decode(b []byte) error {
	*r = Record{}
	if len(b) == 0 {
		return invalid(Empty, "no bytes")
	}
	if len(b) > MaxMessage {
		return invalid(TooLong, "the message has %d bytes, at most %d are allowed", len(b), MaxMessage)
	}
	var err *Invalid
	switch b[0] {
	case '{':
		if !r.scanJSON(b) {
			*r = Record{}
			err = r.decodeJSON(b)
		}
	case tagEvent, tagPunctuation:
		if !r.scanProto(b) {
			*r = Record{}
			err = r.decodeProto(b)
		}
	default:
		err = invalid(UnknownForm, "first byte 0x%02x is neither '{' nor a Protobuf record", b[0])
	}
	if err == nil {
		err = r.check(b[0] == '{') // a JSON message is UTF-8 as a whole, or was refused
	}
	if err != nil { // a typed nil must not become a non-nil error
		*r = Record{}
		return err
	}
	return nil
}

// check holds the limits. Whose texts are known to be UTF-8 need not be asked
// for it again.
func (r *Record) check(isUTF8 bool) *Invalid {
	if r.Kind == KindPunctuation {
		return r.Punctuation.check(isUTF8)
	}
	return r.Event.check(isUTF8)
}

// Check returns the *Invalid that a reader of this event would find, or nil.
func (e *Event) Check() error {
	if err := e.check(false); err != nil {
		return err
	}
	return nil
}

func (e *Event) check(isUTF8 bool) *Invalid {
	if e.HasID {
		if len(e.Producer) == 0 {
			return invalid(Missing, "producer is empty")
		}
		if err := text("producer", e.Producer, MaxProducer, isUTF8); err != nil {
			return err
		}
	}
	if len(e.Key) == 0 {
		return invalid(Missing, "key is missing or empty")
	}
	if err := text("key", e.Key, MaxKey, isUTF8); err != nil {
		return err
	}
	if err := text("subject", e.Subject, MaxSubject, isUTF8); err != nil {
		return err
	}
	if e.Time < MinTime || e.Time >= EndTime {
		return invalid(OutOfRange, "event_time %d µs is not from 1970 to 2200", e.Time)
	}
	return nil
}

func (p *Punctuation) check(isUTF8 bool) *Invalid {
	if len(p.Sender) == 0 {
		return invalid(Missing, "sender is missing or empty")
	}
	if err := text("sender", p.Sender, MaxSender, isUTF8); err != nil {
		return err
	}
	if p.Watermark < MinTime || p.Watermark > MaxWatermark {
		return invalid(OutOfRange, "watermark %d µs is not from 1970 to 9999", p.Watermark)
	}
	return nil
}

func text(name string, b []byte, limit int, isUTF8 bool) *Invalid {
	if len(b) > limit {
		return invalid(TooLong, "%s has %d bytes, at most %d are allowed", name, len(b), limit)
	}
	if !isUTF8 && !ascii(b) && !utf8.Valid(b) {
		return invalid(NotUTF8, "%s is not UTF-8", name)
	}
	return nil
}

// ascii is most texts' short way to being UTF-8.
func ascii(b []byte) bool {
	var all uint64
	for ; len(b) >= 8; b = b[8:] {
		all |= binary.LittleEndian.Uint64(b)
	}
	if len(b) >= 4 {
		all |= uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
	for _, c := range b {
		all |= uint64(c)
	}
	return all&topBits == 0
}
