package ingest

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
)

func encoded(eventTime int64) []byte {
	return event.AppendProto(nil, &event.Event{Key: []byte("k"), Time: eventTime})
}

// A range ends before the record that would be too much, and never empty.
func TestRangeEnds(t *testing.T) {
	now := time.Unix(1000, 0)
	// f adds n records and says at which one the range was full.
	f := func(what string, c Config, value func(i int) []byte, stamp func(i int) int64, want int) {
		t.Helper()
		p := &partition{buffer: newBuffer(0, 1<<20)}
		for i := range want + 1 {
			if p.full(&c, stamp(i)) {
				if i != want {
					t.Errorf("%s: full before record %d, want %d", what, i, want)
				}
				p.begin(p.position)
				if p.full(&c, stamp(i)) {
					t.Errorf("%s: an empty range is full", what)
				}
				return
			}
			p.add(int64(i), stamp(i), value(i), now)
		}
		t.Errorf("%s: not full before record %d", what, want)
	}
	wide := Config{Rows: 1 << 30, Bytes: 1 << 40, Span: time.Hour}
	with := func(change func(c *Config)) Config {
		c := wide
		change(&c)
		return c
	}
	plain := func(int) []byte { return encoded(5) }
	still := func(int) int64 { return 1000 }
	f("rows", with(func(c *Config) { c.Rows = 3 }), plain, still, 3)
	f("one row", with(func(c *Config) { c.Rows = 1 }), plain, still, 1)
	f("dead letters are rows", with(func(c *Config) { c.Rows = 3 }), func(int) []byte { return nil }, still, 3)
	f("bytes", with(func(c *Config) { c.Bytes = 3*(fixedBytes+1) - 1 }), plain, still, 3)
	f("one byte", with(func(c *Config) { c.Bytes = 1 }), plain, still, 1)
	f("time", with(func(c *Config) { c.Span = time.Second }), plain, func(i int) int64 { return int64(i) * 250 }, 4)
	f("listed", wide, func(int) []byte { return nil }, still, lake.MaxListed)
	f("hours", wide, func(i int) []byte { return encoded(int64(i) * 3600e6) }, still, maxHours)

	p := &partition{buffer: newBuffer(0, 1<<20)}
	if p.old(&wide, now.Add(24*time.Hour)) {
		t.Error("an empty range is old")
	}
	p.add(0, 1000, encoded(5), now)
	if p.old(&wide, now.Add(time.Hour-1)) || !p.old(&wide, now.Add(time.Hour)) {
		t.Error("a range is not old exactly an hour after its first record was read")
	}
}

// The memory that is kept does not grow with the number of ranges, although
// the large hour is always another one.
func TestKeptMemory(t *testing.T) {
	const keep = 1 << 20
	b := newBuffer(0, keep)
	for i := range int64(200) {
		large := i % 20
		for k := range int64(20) {
			n := 1
			if k == large {
				n = 3000
			}
			for range n {
				b.add(0, 0, encoded(k*3600e6))
			}
		}
		b.reset()
		kept := 0
		for _, r := range b.free {
			kept += r.peak
			if r.batch[0].Len() != 0 {
				t.Fatal("columns were kept with their rows")
			}
		}
		if kept > keep || len(b.free) == 0 {
			t.Fatalf("after range %d: %d bytes in %d sets of columns are kept, at most %d may be", i, kept, len(b.free), keep)
		}
	}
}

func TestBounded(t *testing.T) {
	f := func(s string) {
		t.Helper()
		got := bounded(s)
		if len(got) > lake.MaxDetail || len(got) < min(len(s), lake.MaxDetail-3) || !utf8.ValidString(got) {
			t.Errorf("bounded(%q) = %q", s, got)
		}
	}
	f("")
	f("plain")
	f(strings.Repeat("x", lake.MaxDetail))
	f(strings.Repeat("x", lake.MaxDetail+1))
	for pad := range 4 {
		f(strings.Repeat("x", pad) + strings.Repeat("é", 200))
		f(strings.Repeat("x", pad) + strings.Repeat("😀", 200))
	}
	f("a\xffb")
}

// Where a partition goes on, or why it cannot.
func TestLocate(t *testing.T) {
	f := func(end int64, log kafka.Offsets, want int64, text string) {
		t.Helper()
		c := &lake.Chain{Topic: "events", Partition: 2}
		if end > 0 {
			c.Manifests = []*lake.Manifest{{First: 3, Start: 3, End: end}}
		}
		first, next, err := locate(c, log)
		switch {
		case text == "" && (err != nil || next != want || (end > 0 && first != 3)):
			t.Errorf("end %d, log %+v: first %d, next %d, %v; want %d", end, log, first, next, err, want)
		case text != "" && (err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "new lake")):
			t.Errorf("end %d, log %+v: %v", end, log, err)
		}
	}
	f(0, kafka.Offsets{Earliest: 0, High: 10}, 0, "")
	f(0, kafka.Offsets{Earliest: 3, High: 10}, 0, "its log begins at offset 3")
	f(7, kafka.Offsets{Earliest: 3, High: 10}, 7, "")
	f(7, kafka.Offsets{Earliest: 7, High: 7}, 7, "")
	f(7, kafka.Offsets{Earliest: 8, High: 10}, 0, "ends at offset 7 and the log begins at 8")
	f(7, kafka.Offsets{Earliest: 0, High: 6}, 0, "offset 7 and the log already at 6")
}

func TestConfigFaults(t *testing.T) {
	if faults := new(Config).Validate(); len(faults) != 6 {
		t.Errorf("the zero configuration has the faults %v", faults)
	}
}
