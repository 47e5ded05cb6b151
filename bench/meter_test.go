package bench

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// meter measures what the benchmark's timer measures, in CPU time and
// allocations of this process.
type meter struct {
	b       *testing.B
	cpu     time.Duration
	mallocs uint64
}

// begin starts the measurement and the timer.
func begin(b *testing.B) *meter {
	b.Helper()
	runtime.GC() // what came before is not this step's
	m := &meter{b: b}
	m.add(-1)
	b.ResetTimer()
	return m
}

// pause and resume leave out what is between them.
func (m *meter) pause() {
	m.b.StopTimer()
	m.add(1)
}

func (m *meter) resume() {
	m.add(-1)
	m.b.StartTimer()
}

// end stops the measurement and reports it for the events of all ops.
func (m *meter) end(events int) {
	m.pause()
	n := float64(events)
	m.b.ReportMetric(n/m.b.Elapsed().Seconds(), "events/s")
	m.b.ReportMetric(float64(m.cpu)/n, "cpu-ns/event")
	m.b.ReportMetric(float64(m.mallocs)/n, "allocs/event")
}

// add counts the figures so far; a begin subtracts what its end adds.
func (m *meter) add(sign int) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: getrusage: " + err.Error())
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m.cpu += time.Duration(sign) * time.Duration(u.Utime.Nano()+u.Stime.Nano())
	m.mallocs += uint64(sign) * s.Mallocs
}
