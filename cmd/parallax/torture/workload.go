package torture

import (
	"fmt"
	"math/rand/v2"
	"time"

	"parallax.example/cmd/parallax/recording"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
)

// views is what every run asks: each kind of window, with and without sketches,
// with and without lateness, so short that most close within the run.
const views = `time: {believed: {count: 8, of: 64}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 10m, aggregates: [count, sum, min, max, mean, p95, distinct]}
  - {name: sliding, window: {hopping: 2h, every: 30m}, lateness: 0s}
  - {name: visits, window: {session: 40m}, lateness: 5m, aggregates: [count, sum, p50, distinct]}
`

const (
	partitions = 4
	minute     = int64(60_000_000)            // µs
	begin      = int64(1_700_000_000_000_000) // µs; event times begin about here
	span       = 10 * 60 * minute             // of event time, whatever the number of events
	drainFor   = 60 * time.Second             // patience, not a wait
	startFor   = 40 * time.Second             // patience, not a wait
	glance     = 3 * time.Millisecond         // between two looks at what must come
	tooLong    = event.MaxMessage + 100       // bytes of a message that no one accepts
	wildTime   = int64(5_000_000_000_000_000) // µs, in 2128: a clock that is off
	stranger   = "stranger"                   // may not send punctuation
	wildEvery  = 90                           // one event in so many has a wild clock
	kinds      = 40                           // see message
)

// load is a seeded log: what the generator is told to send, in time for it to
// take about the given time.
type load struct {
	rng     *rand.Rand
	key     func(r *rand.Rand) []byte // of the next event
	time    func(i, n int) int64      // of event i of n, before it is made late, µs
	wild    int                       // one event in so many has a wild clock
	seqs    [8]uint64                 // next seq, by producer
	jumper  uint64
	sent    []event.Event // those with an id, to repeat
	records [partitions]int64
}

// newLoad has few keys, and an event time that goes on for the span.
func newLoad(seed uint64) *load { return spread(seed, 48, span) }

// spread is a load of so many keys and so much event time.
func spread(seed uint64, keys int, span int64) *load {
	return &load{
		rng: rand.New(rand.NewPCG(seed, 1)), wild: wildEvery,
		key:  func(r *rand.Rand) []byte { return fmt.Appendf(nil, "key-%02d", r.IntN(keys)) },
		time: func(i, n int) int64 { return begin + int64(i)*(span/int64(n)) },
	}
}

// write writes a recorded log with n messages that lasts for the time.
func (l *load) write(path string, n int, lasts time.Duration) error {
	return recording.Write(path, func(rows *recording.Rows, flush func() error) error {
		for i := range n {
			at := int64(i) * lasts.Milliseconds() / int64(n)
			l.add(rows, at, i, n)
			if i%4096 == 4095 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		l.end(rows, lasts.Milliseconds())
		return nil
	})
}

// end is the end of time in all partitions but one, whose last windows stay open.
func (l *load) end(rows *recording.Rows, at int64) {
	open := int32(l.rng.IntN(partitions))
	for p := range int32(partitions) {
		if p != open {
			end := event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark - int64(p)})
			rows.Add(recording.Record{Partition: p, Offset: l.records[p], Timestamp: at, Value: end})
		}
	}
}

// add makes message i of n, due at a time in ms.
func (l *load) add(rows *recording.Rows, at int64, i, n int) {
	key, value := l.message(i, n)
	p := kafka.Partition(key, partitions)
	rows.Add(recording.Record{Partition: p, Offset: l.records[p], Timestamp: at, Key: key, Value: value})
	l.records[p]++
}

// message makes message i of n. All differ in their bytes, repeated ids too.
func (l *load) message(i, n int) (key, value []byte) {
	r := l.rng
	key = l.key(r)
	producer := r.IntN(len(l.seqs))
	e := event.Event{
		Producer: fmt.Appendf(nil, "sensor-%d", producer), Seq: l.seqs[producer], HasID: true,
		Key: key, Subject: fmt.Appendf(nil, "subject-%d", r.IntN(60)),
		Time: l.time(i, n), Value: r.Int64N(100_000) - 30_000,
	}
	switch r.IntN(8) { // how late it comes
	case 0:
		e.Time -= r.Int64N(240) * minute
	case 1, 2:
		e.Time -= r.Int64N(20) * minute
	case 3:
		e.Time += r.Int64N(3) * minute
	}
	if r.IntN(l.wild) == 0 {
		e.Time = wildTime + r.Int64N(1000)*minute
	}
	switch r.IntN(kinds) {
	case 0: // no id, so no deduplication; the subject keeps the bytes apart
		e.Producer, e.Seq, e.HasID = nil, 0, false
		e.Subject = fmt.Appendf(nil, "anonymous-%d", i)
	case 1, 2: // an id again, of this partition, with other words
		if old := l.again(key); old != nil {
			old.Subject = fmt.Appendf(nil, "again-%d", i)
			return key, l.encode(old)
		}
	case 3: // far below its largest seq: too old to be looked up
		e.Producer = []byte("jumper")
		l.jumper++
		e.Seq = 5_000_000 + l.jumper
		if r.IntN(2) == 0 {
			e.Seq = l.jumper
		}
		return key, l.encode(&e)
	case 4:
		return key, l.poison(i)
	}
	if e.HasID {
		l.seqs[producer]++
		l.sent = append(l.sent, e)
	}
	return key, l.encode(&e)
}

// again picks an event that went to the same partition.
func (l *load) again(key []byte) *event.Event {
	p := kafka.Partition(key, partitions)
	for range 16 {
		if len(l.sent) == 0 {
			return nil
		}
		old := l.sent[l.rng.IntN(len(l.sent))]
		if kafka.Partition(old.Key, partitions) == p {
			return &old
		}
	}
	return nil
}

func (l *load) encode(e *event.Event) []byte {
	if l.rng.IntN(3) == 0 {
		return event.AppendJSON(nil, e)
	}
	return event.AppendProto(nil, e)
}

// poison is no valid event, each in its own way.
func (l *load) poison(i int) []byte {
	switch l.rng.IntN(8) {
	case 0:
		return fmt.Appendf(nil, "garbage %d", i)
	case 1:
		return fmt.Appendf(nil, `{"key":"k","event_time":"%d is not a time","value":1}`, i)
	case 2:
		return fmt.Appendf(nil, `{"key":"","event_time":%d,"value":1}`, i)
	case 3:
		return fmt.Appendf(nil, `{"key":"k","event_time":-%d,"value":1}`, i+1)
	case 4:
		return fmt.Appendf(nil, `{"key":"k","event_time":1,"value":9223372036854775808%d}`, i)
	case 5:
		return append(fmt.Appendf(nil, "%08d", i), make([]byte, tooLong)...)
	case 6:
		return event.AppendPunctuationJSON(nil, &event.Punctuation{Sender: []byte(stranger), Watermark: wildTime + int64(i)})
	default:
		whole := event.AppendProto(nil, &event.Event{Key: fmt.Appendf(nil, "cut-%d", i), Time: begin, Value: 1})
		return whole[:len(whole)-1]
	}
}
