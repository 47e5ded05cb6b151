package bench

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/services/generator"
)

const (
	partitions = 4
	weeks      = 4
	weekLong   = 7 * 24 * 3_600_000_000 // µs
	batchSize  = 4096                   // records that a transaction of the processor takes
	patience   = time.Minute
)

// encoders are the wire forms by their names.
var encoders = map[string]func([]byte, *event.Event) []byte{"proto": event.AppendProto, "json": event.AppendJSON}

// forms are the names in the order in which they are reported.
var forms = []string{"proto", "json"}

// log is a recorded topic: per partition its records with keys, batchSize at a
// time. Offsets begin at 0 and have no gaps.
type log struct {
	partitions [partitions][]*kafka.Batch
	records    int
	events     int
}

// each visits the batches of all partitions in turns.
func (l *log) each(visit func(*kafka.Batch)) {
	for i := 0; ; i++ {
		done := true
		for _, batches := range l.partitions {
			if i < len(batches) {
				visit(batches[i])
				done = false
			}
		}
		if done {
			return
		}
	}
}

// add adds a record at the end of a partition.
func (l *log) add(partition int32, timestamp int64, key, value []byte) {
	list := l.partitions[partition]
	if len(list) == 0 || list[len(list)-1].Len() == batchSize {
		var offset int64
		if len(list) > 0 {
			offset = list[len(list)-1].Next
		}
		list = append(list, &kafka.Batch{Partition: partition, Next: offset})
		l.partitions[partition] = list
	}
	b := list[len(list)-1]
	b.Offsets, b.Timestamps = append(b.Offsets, b.Next), append(b.Timestamps, timestamp)
	b.KeyData, b.Data = append(b.KeyData, key...), append(b.Data, value...)
	b.KeyEnds, b.Ends = append(b.KeyEnds, len(b.KeyData)), append(b.Ends, len(b.Data))
	b.Null = append(b.Null, false)
	b.Next++
	l.records++
}

// theWeek is what the generator sends, read back from the topic.
var theWeek = sync.OnceValues(func() (*log, error) {
	c, err := newTopics("week")
	if err != nil {
		return nil, err
	}
	g, err := generator.New(generator.Config{
		Brokers: c.Brokers, TopicPrefix: "week", Partitions: partitions, Form: "proto",
		Ledger: filepath.Join(folder, "week.ledger"), RunID: "bench",
	}, generator.Deps{Clock: generator.WallClock{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := timeout()
	defer cancel()
	summary, err := g.Run(ctx)
	if err != nil {
		return nil, err
	}
	l := &log{events: int(summary.Generated)}
	err = kafka.ReadTo(ctx, c, kafka.ReaderConfig{Keys: true}, ranges("week", summary.Ends), patience, func(b *kafka.Batch) error {
		for i, t := range b.Timestamps {
			l.add(b.Partition, t, b.Key(i), b.Value(i))
		}
		return nil
	})
	if want := int(summary.OK); err == nil && l.records != want {
		err = fmt.Errorf("%d of the week's %d messages were read back", l.records, want)
	}
	return l, err
})

// logs by name: a wire form, or dense.
var logs = map[string]*log{}

// dense is the log with an hour's events of all weeks in one, as Protobuf.
const dense = "dense"

// flights returns the log of a name.
func flights(b *testing.B, name string) *log {
	b.Helper()
	week, err := theWeek()
	must(b, err)
	if logs[name] == nil {
		if name == dense {
			logs[name], err = repeat(week, weeks, 1, event.AppendProto)
		} else {
			logs[name], err = repeat(week, 1, weeks, encoders[name])
		}
		must(b, err)
	}
	return logs[name]
}

// repeat makes a log of each event so many times in a row, of so many weeks one
// after the other. Each copy has a seq of its own. The punctuation comes once,
// at the end.
func repeat(week *log, times, weeks int, encode func([]byte, *event.Event) []byte) (*log, error) {
	l := &log{events: times * weeks * week.events}
	var value []byte
	for p, batches := range week.partitions {
		for n := range weeks {
			for _, b := range batches {
				for i, t := range b.Timestamps {
					var r event.Record
					if err := r.Decode(b.Value(i)); err != nil {
						return nil, err
					}
					if r.Kind == event.KindPunctuation {
						if n == weeks-1 {
							l.add(int32(p), t, b.Key(i), b.Value(i))
						}
						continue
					}
					e := &r.Event
					seq := (uint64(n*week.events) + e.Seq) * uint64(times)
					e.Time += int64(n) * weekLong
					for k := range uint64(times) {
						e.Seq = seq + k
						value = encode(value[:0], e)
						l.add(int32(p), t, b.Key(i), value)
					}
				}
			}
		}
	}
	return l, nil
}

// must ends the benchmark at an error.
func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
