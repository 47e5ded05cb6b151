package generator

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
)

//go:embed flights/flights-2001-06-11-week.parquet
var week []byte

const minute = 60_000_000 // µs

// maxDelay keeps sums of a time and a delay within int64: ten years, in minutes.
const maxDelay = 10 * 366 * 24 * 60

// flights are events in the order in which each delay became known, and after
// them one punctuation per partition: nothing is still to come.
type flights struct {
	id         string
	encode     form
	partitions int
	rows       []flight
	airports   [][]byte // by code
	partition  []int32  // by code
	scratch    event.Event
}

type flight struct {
	scheduled           int64 // µs UTC
	delay               int32 // minutes
	origin, destination uint32
}

// known is when the flight left, so when its delay was known, µs UTC.
func (f *flight) known() int64 { return f.scheduled + int64(f.delay)*minute }

// newFlights reads a flights file. A limit above 0 keeps only the first events.
func newFlights(file []byte, c *Config) (*flights, error) {
	t, err := readFlights(file)
	if err != nil {
		return nil, err
	}
	known := func(a, b flight) int { return cmp.Compare(a.known(), b.known()) }
	if !slices.IsSortedFunc(t.rows, known) {
		slices.SortStableFunc(t.rows, known)
	}
	if c.Limit > 0 && c.Limit < len(t.rows) {
		t.rows = t.rows[:c.Limit]
	}
	digest := sha256.Sum256(file)
	s := &flights{
		id:         fmt.Sprintf("flights sha256=%s events=%d form=%s", hex.EncodeToString(digest[:]), len(t.rows), c.Form),
		encode:     forms[c.Form],
		partitions: c.Partitions,
		rows:       t.rows,
		airports:   t.airports,
	}
	for _, a := range t.airports {
		s.partition = append(s.partition, kafka.Partition(a, c.Partitions))
	}
	return s, nil
}

func (s *flights) name() string { return s.id }

func (s *flights) len() int { return len(s.rows) + s.partitions }

func (s *flights) due(i int) int64 { return s.rows[min(i, len(s.rows)-1)].known() }

var flightsProducer = []byte("flights")

func (s *flights) message(i int, buf []byte) (message, []byte) {
	start := len(buf)
	if i >= len(s.rows) {
		buf = s.encode.punctuation(buf, &event.Punctuation{Sender: []byte(sender), Watermark: event.MaxWatermark})
		return message{op: ledger.Punctuation, partition: int32(i - len(s.rows)), value: buf[start:]}, buf
	}
	f := &s.rows[i]
	s.scratch = event.Event{ // not a local: it would go to the heap for each message
		Producer: flightsProducer, Seq: uint64(i), HasID: true,
		Key:     s.airports[f.origin],
		Subject: s.airports[f.destination],
		Time:    f.scheduled,
		Value:   int64(f.delay),
	}
	buf = s.encode.event(buf, &s.scratch)
	return message{op: ledger.Event, partition: s.partition[f.origin], key: s.scratch.Key, value: buf[start:]}, buf
}
