package generator

import (
	"parallax.example/internal/event"
	"parallax.example/internal/ledger"
)

// message is one Kafka message to be sent. Its bytes stay as they are.
type message struct {
	op         ledger.Op
	partition  int32
	key, value []byte
}

// source is a fixed sequence of messages, in the order in which they are sent.
// One goroutine uses its messages; len and due are for all.
type source interface {
	// name tells sources apart: of the same name are the same messages.
	name() string
	len() int
	// due is when message i is to be sent, in µs of the source's own time;
	// it never goes back.
	due(i int) int64
	// message gives message i. Bytes that must be made are appended to buf.
	message(i int, buf []byte) (m message, grown []byte)
}

// sender is how the generator signs its punctuation.
const sender = "generator"

// form encodes what the generator itself makes.
type form struct {
	event       func(dst []byte, e *event.Event) []byte
	punctuation func(dst []byte, p *event.Punctuation) []byte
}

var forms = map[string]form{
	"proto": {event.AppendProto, event.AppendPunctuationProto},
	"json":  {event.AppendJSON, event.AppendPunctuationJSON},
}
