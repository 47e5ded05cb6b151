package main

import (
	"fmt"
	"time"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
)

// The load of a latency run: event time runs 20 times as fast as the wall clock
// and windows last a second, so that 20 close each second in every partition,
// each with a row for up to 100 keys. Nothing comes out of order and the
// lateness is 0: the first event behind a window's end closes it.
const (
	loadKeys   = 100
	loadSpeed  = 20
	loadWindow = int64(1_000_000) // µs
	loadOrigin = 992_217_600_000_000
)

// plan knows the whole load before it is sent: every event, every right answer,
// and when each window closes.
type plan struct {
	rate       int // events per second
	events     int
	keys       [loadKeys][]byte
	partition  [loadKeys]int32
	numbers    map[string]int              // of the keys
	cells      answers                     // of all windows
	closed     [partitions][]time.Duration // by partition and window: the scheduled send of the event that closes it
	everywhere []time.Duration             // by window: … in the last partition
	scratch    event.Event
}

// newPlan plans a load of so many events per second for so long.
func newPlan(rate int, length time.Duration) *plan {
	p := &plan{rate: rate, events: int(length.Seconds() * float64(rate)), cells: answers{}, numbers: map[string]int{}}
	for k := range p.keys {
		p.keys[k] = fmt.Appendf(nil, "K%02d", k)
		p.numbers[string(p.keys[k])] = k
		p.partition[k] = kafka.Partition(p.keys[k], partitions)
	}
	for i := range p.events {
		e := p.event(i)
		at := cell{string(e.Key), e.Time - e.Time%loadWindow}
		f := p.cells[at]
		f.add(e.Value)
		p.cells[at] = f
		closed := &p.closed[p.partition[i%loadKeys]]
		for n := window(e.Time); len(*closed) < n; {
			*closed = append(*closed, p.due(i))
		}
	}
	p.everywhere = p.closed[0]
	for _, closed := range p.closed[1:] {
		p.everywhere = later(p.everywhere, closed)
	}
	return p
}

// later is the larger of each pair, as far as both go.
func later(a, b []time.Duration) []time.Duration {
	list := make([]time.Duration, min(len(a), len(b)))
	for i := range list {
		list[i] = max(a[i], b[i])
	}
	return list
}

// window is the number of a time's window.
func window(t int64) int { return int((t - loadOrigin) / loadWindow) }

// due is when event i is to be sent, after the start.
func (p *plan) due(i int) time.Duration {
	return time.Duration(int64(i) * int64(time.Second) / int64(p.rate))
}

// event is valid until the next call. Its time is in whole ms, the unit of
// Kafka Streams and Flink.
func (p *plan) event(i int) *event.Event {
	p.scratch = event.Event{
		Producer: producer, Seq: uint64(i), HasID: true,
		Key: p.keys[i%loadKeys], Subject: p.keys[(i/loadKeys)%loadKeys],
		Time:  loadOrigin + p.due(i).Milliseconds()*loadSpeed*1000,
		Value: int64(i%1009) - 100,
	}
	return &p.scratch
}

var producer = []byte("load")

// closing is when the event is due that closes a cell's window: in its own
// partition, or in all of them for an engine that goes by the slowest. ok is
// false if none does.
func (p *plan) closing(at cell, all bool) (due time.Duration, ok bool) {
	k, known := p.numbers[at.key]
	if !known {
		return 0, false
	}
	list := p.closed[p.partition[k]]
	if all {
		list = p.everywhere
	}
	if n := window(at.start); at.start >= loadOrigin && n < len(list) {
		return list[n], true
	}
	return 0, false
}
