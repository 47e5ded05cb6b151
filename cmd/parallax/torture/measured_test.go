package torture

import (
	"strings"
	"testing"
	"time"
)

// A takeover is read from what the surviving processor logs, past anything else
// that it says meanwhile; what came before and after is none of it.
func TestReadTaking(t *testing.T) {
	const text = `time=2026-01-02T03:04:07.000Z level=INFO msg="partitions given up" partitions="[0 1]" lost=false
time=2026-01-02T03:04:07.100Z level=WARN msg="something else"
time=2026-01-02T03:04:08.500Z level=INFO msg="partitions taken over" partitions="[0 1 2 3]" offsets="[9 9 9 9]" took=1.2s restore=900ms
time=2026-01-02T03:04:09.000Z level=INFO msg="partitions given up" partitions="[0 1 2 3]" lost=false
time=2026-01-02T03:04:09.500Z level=INFO msg="partitions taken over" partitions="[2 3]" offsets="[9 9]" took=100ms restore=90ms
`
	took, err := readTaking(text)
	if err != nil {
		t.Fatal(err)
	}
	killed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := took.split(killed, killed.Add(4*time.Second))
	const ms = time.Millisecond
	want := [...]time.Duration{2000 * ms, 300 * ms, 300 * ms, 900 * ms, 500 * ms, 2000 * ms, 4000 * ms}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	var sum time.Duration
	for _, d := range got[:5] {
		sum += d
	}
	if sum != got[6] {
		t.Errorf("the parts make %v, the whole is %v", sum, got[6])
	}
	if _, err := readTaking(`msg="partitions given up"`); err == nil {
		t.Error("half a takeover is none")
	}
}

// The parts of all runs stand together, and so do their flows.
func TestMeasuredTable(t *testing.T) {
	run := func(killed int64, took ...time.Duration) Outcome {
		return Outcome{Fault: "recovery", Calm: Flow{1000, time.Second}, Killed: Flow{killed, time.Second}, OpenCells: uint64(killed), Parts: []Part{{"restore", took}}}
	}
	lines := tabulate([]Outcome{run(900, 3*time.Second, time.Second), run(700, 2*time.Second)})
	var out strings.Builder
	if err := writeMeasured(&out, lines); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1000 messages a second were answered in peace, 800 with 0 kills: 80.0 %", "3 kills, at least 700 open cells", "restore"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	if p := lines[0].Parts[0]; p.P50 != 2*time.Second || p.P99 != 3*time.Second {
		t.Errorf("%+v", p)
	}
}
