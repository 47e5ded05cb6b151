package ingest

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
)

// BenchmarkLakeWrite brings records from wire bytes to a committed manifest:
// decode, columns, Parquet, sync, rename, link. One op is one range.
func BenchmarkLakeWrite(b *testing.B) {
	const records = 1 << 18
	f := func(name string, hours int, late float64) {
		b.Run(name, func(b *testing.B) {
			values, wire := recorded(records, hours, late)
			dir, err := lake.Create(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer dir.Close()
			p := &partition{buffer: newBuffer(0, 64<<20)}
			var size, files int64
			now := time.Unix(0, 0).UTC()
			b.ReportAllocs()
			b.SetBytes(int64(wire))
			before := cpu()
			for b.Loop() {
				for _, v := range values {
					p.add(p.position, 1_700_000_000_000, v, now)
				}
				m := &lake.Manifest{
					Version: lake.Version, Topic: "parallax.events", TopicID: "x", Partitions: 1,
					Start: p.start, End: p.position, Created: now,
				}
				if err := p.buffer.write(dir, lake.NewID(), m); err != nil {
					b.Fatal(err)
				}
				p.begin(m.End)
				size, files = 0, int64(len(m.Files))
				for _, f := range m.Files {
					size += f.Size
				}
			}
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N)/records, "cpu-ns/row")
			perRow := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / records
			b.ReportMetric(perRow, "ns/row")
			b.ReportMetric(1e9/perRow, "rows/s")
			b.ReportMetric(float64(size)/records, "B/row")
			b.ReportMetric(float64(files), "files/op")
		})
	}
	f("hour", 1, 0)
	f("day-late-2%", 24, 0.02)
	f("week-scattered", 168, 1)
}

// BenchmarkBuffer is the part before Parquet: decode and columns.
func BenchmarkBuffer(b *testing.B) {
	values, wire := recorded(1<<16, 24, 0.02)
	p := &partition{buffer: newBuffer(0, 64<<20)}
	b.ReportAllocs()
	b.SetBytes(int64(wire))
	before := cpu()
	for b.Loop() {
		for _, v := range values {
			p.add(p.position, 1_700_000_000_000, v, time.Time{})
		}
		p.begin(p.position)
	}
	rows := float64(b.N) * float64(len(values))
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/rows, "cpu-ns/row")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/rows, "ns/row")
}

// cpu is what this process has used, the collector's share included. On a busy
// machine it says more than the wall clock.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: getrusage: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// recorded makes events in order of time but for those that are late, which
// fall into any of the hours before.
func recorded(n, hours int, late float64) (values [][]byte, size int) {
	r := rand.New(rand.NewPCG(1, 2))
	const start, hour = 980985600e6, 3600e6
	for i := range n {
		span := int64(i) * int64(hours) * hour / int64(n)
		t := start + span
		if r.Float64() < late {
			t = start + r.Int64N(int64(hours)*hour)
		}
		v := event.AppendProto(nil, &event.Event{
			Producer: []byte("flights"), Seq: uint64(i), HasID: true,
			Key: fmt.Appendf(nil, "K%02d", r.IntN(300)), Subject: fmt.Appendf(nil, "N%d", r.IntN(4000)),
			Time: t, Value: int64(r.NormFloat64() * 30),
		})
		values, size = append(values, v), size+len(v)
	}
	return values, size
}
