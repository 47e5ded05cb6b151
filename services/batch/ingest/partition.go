package ingest

import (
	"time"

	"parallax.example/internal/lake"
)

// partition is an owned partition: its chain's end and the range under way.
type partition struct {
	number   int32
	first    int64 // where the chain begins
	start    int64 // of the range under way: the chain's end
	position int64 // every visible record below is in the chain or in the buffer
	high     int64 // end of the log, as far as seen

	buffer *buffer
	stamp  int64     // Kafka's timestamp of the range's first record, ms
	since  time.Time // when that was read
}

// begin starts the next range at an offset.
func (p *partition) begin(start int64) {
	p.start, p.position = start, start
	p.buffer.reset()
}

func (p *partition) empty() bool { return p.buffer.counts.Records == 0 }

// full says that the range ends before a record with this timestamp.
func (p *partition) full(c *Config, timestamp int64) bool {
	b := p.buffer
	return !p.empty() && (b.counts.Records >= int64(c.Rows) ||
		b.size >= c.Bytes ||
		timestamp-p.stamp >= c.Span.Milliseconds() ||
		b.listed() >= lake.MaxListed ||
		len(b.hours) >= maxHours)
}

// old says that the range ends now, whatever comes.
func (p *partition) old(c *Config, now time.Time) bool {
	return !p.empty() && now.Sub(p.since) >= c.Span
}

func (p *partition) add(offset, timestamp int64, value []byte, now time.Time) {
	if p.empty() {
		p.stamp, p.since = timestamp, now
	}
	p.buffer.add(offset, timestamp, value)
	p.position = offset + 1
}
