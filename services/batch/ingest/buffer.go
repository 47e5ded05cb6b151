package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
)

// Schema of an event file.
var Schema = parquet.Schema{
	{Name: lake.ColumnPartition, Kind: parquet.Int32},
	{Name: lake.ColumnOffset, Kind: parquet.Int64},
	{Name: lake.ColumnTimestamp, Kind: parquet.Int64},
	{Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	{Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true},
	{Name: lake.ColumnKey, Kind: parquet.String},
	{Name: lake.ColumnSubject, Kind: parquet.String},
	{Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	{Name: lake.ColumnValue, Kind: parquet.Int64},
}

// Positions in Schema.
const (
	colPartition = iota
	colOffset
	colTimestamp
	colProducer
	colSeq
	colKey
	colSubject
	colEventTime
	colValue
)

// fixedBytes is what a row takes in memory besides its texts.
const fixedBytes = 9 * 8

// maxHours bounds the files of a range, almost two years: wild clocks cannot
// make one for each of their events.
const maxHours = 1 << 14

// buffer holds the records of one partition's range under way, as columns, one
// set for each hour of event time. Its memory is used again for later ranges.
type buffer struct {
	partition    int32
	hours        map[int64]*rows
	last         *rows // of the hour before: events of an hour come in runs
	free         []*rows
	counts       lake.Counts
	ids          lake.Digest
	deadLetters  []lake.DeadLetter
	punctuations []lake.Punctuation
	size         int // bytes in memory, about
	keep         int // bytes of memory kept from one range to the next

	producer     []byte // the last one, with its hash
	producerHash uint64
	record       event.Record
}

// rows are the events of one hour, in offset order.
type rows struct {
	hour                 int64
	batch                []parquet.Vector
	n                    int64
	minOffset, maxOffset int64
	minTime, maxTime     int64
	size, peak           int // bytes now, and the most there ever were
}

func newBuffer(partition int32, keep int) *buffer {
	return &buffer{partition: partition, hours: map[int64]*rows{}, keep: keep}
}

// reset empties the buffer. It keeps the memory of its rows, up to a bound:
// the large hour is another one in each range, and in the end every set of
// columns would be large.
func (b *buffer) reset() {
	kept := 0
	for _, r := range b.free {
		kept += r.peak
	}
	for _, r := range b.hours {
		r.peak = max(r.peak, r.size)
		if kept += r.peak; kept > b.keep {
			kept -= r.peak
			continue
		}
		parquet.ResetBatch(r.batch)
		b.free = append(b.free, r)
	}
	clear(b.hours)
	b.last, b.size = nil, 0
	b.counts, b.ids = lake.Counts{}, lake.Digest{}
	b.deadLetters, b.punctuations = b.deadLetters[:0], b.punctuations[:0]
}

// listed is how many entries the manifest would list.
func (b *buffer) listed() int { return len(b.deadLetters) + len(b.punctuations) }

// add takes the next record. timestamp is Kafka's, in ms.
func (b *buffer) add(offset, timestamp int64, value []byte) {
	b.counts.Records++
	if err := b.record.Decode(value); err != nil {
		b.addDeadLetter(offset, err, len(value))
		return
	}
	if b.record.Kind == event.KindPunctuation {
		p := &b.record.Punctuation
		b.counts.Punctuations++
		b.punctuations = append(b.punctuations, lake.Punctuation{Offset: offset, Sender: string(p.Sender), Watermark: p.Watermark})
		b.size += fixedBytes
		return
	}
	b.addEvent(offset, timestamp, &b.record.Event)
}

func (b *buffer) addEvent(offset, timestamp int64, e *event.Event) {
	r := b.rows(e.Time)
	if r.n == 0 {
		r.minOffset, r.minTime, r.maxTime = offset, e.Time, e.Time
	}
	r.maxOffset = offset
	r.minTime, r.maxTime = min(r.minTime, e.Time), max(r.maxTime, e.Time)
	r.n++

	r.batch[colPartition].AppendInt64(int64(b.partition))
	r.batch[colOffset].AppendInt64(offset)
	r.batch[colTimestamp].AppendInt64(timestamp)
	if e.HasID {
		if !bytes.Equal(e.Producer, b.producer) {
			b.producer = append(b.producer[:0], e.Producer...)
			b.producerHash = lake.HashProducer(e.Producer)
		}
		b.ids.Add(b.producerHash, e.Seq)
		r.batch[colProducer].AppendBytes(e.Producer)
		r.batch[colSeq].AppendUint64(e.Seq)
	} else {
		r.batch[colProducer].AppendNull()
		r.batch[colSeq].AppendNull()
	}
	r.batch[colKey].AppendBytes(e.Key)
	r.batch[colSubject].AppendBytes(e.Subject)
	r.batch[colEventTime].AppendInt64(e.Time)
	r.batch[colValue].AppendInt64(e.Value)

	b.counts.Events++
	size := fixedBytes + len(e.Producer) + len(e.Key) + len(e.Subject)
	r.size += size
	b.size += size
}

func (b *buffer) addDeadLetter(offset int64, err error, size int) {
	var invalid *event.Invalid
	if !errors.As(err, &invalid) {
		panic(fmt.Sprintf("BUG: decoding gave %v", err))
	}
	b.counts.DeadLetters++
	b.deadLetters = append(b.deadLetters, lake.DeadLetter{
		Offset: offset, Reason: string(invalid.Reason), Detail: bounded(invalid.Detail), Size: int64(size),
	})
	b.size += fixedBytes + len(invalid.Detail)
}

// bounded makes a text fit a manifest.
func bounded(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= lake.MaxDetail {
		return s
	}
	n := lake.MaxDetail
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// rows returns the columns of an event time's hour.
func (b *buffer) rows(eventTime int64) *rows {
	hour := lake.HourOf(eventTime)
	if b.last != nil && b.last.hour == hour {
		return b.last
	}
	r := b.hours[hour]
	if r == nil {
		if n := len(b.free); n > 0 {
			r, b.free = b.free[n-1], b.free[:n-1]
			*r = rows{batch: r.batch, peak: r.peak}
		} else {
			r = &rows{batch: parquet.NewBatch(Schema)}
		}
		r.hour = hour
		b.hours[hour] = r
	}
	b.last = r
	return r
}

// sorted returns the hours' columns, earliest first.
func (b *buffer) sorted() []*rows {
	return slices.SortedFunc(maps.Values(b.hours), func(x, y *rows) int { return int(x.hour - y.hour) })
}
