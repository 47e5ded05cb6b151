package demo

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parallax.example/services/reporter/report"
)

// takeover is one line of a processor's log: the partitions it began to own,
// and the input offset at which it went on with each.
type takeover map[int32]int64

var (
	tookOver = regexp.MustCompile(`msg="partitions taken over" partitions="?\[([\d ]+)\]"? offsets="?\[([\d ]+)\]`)
	gaveUp   = regexp.MustCompile(`msg="partitions given up"`)
)

// ownership reads a processor's log: what it took over, and how often it gave
// partitions up in order.
func ownership(t *testing.T, log string) (took []takeover, given int) {
	t.Helper()
	text := read(t, log)
	for _, m := range tookOver.FindAllStringSubmatch(text, -1) {
		partitions, offsets := strings.Fields(m[1]), strings.Fields(m[2])
		if len(partitions) != len(offsets) {
			t.Fatalf("%s: %q", log, m[0])
		}
		one := takeover{}
		for i := range partitions {
			var p int32
			var o int64
			if _, err := fmt.Sscan(partitions[i]+" "+offsets[i], &p, &o); err != nil {
				t.Fatalf("%s: %q: %v", log, m[0], err)
			}
			one[p] = o
		}
		took = append(took, one)
	}
	return took, len(gaveUp.FindAllString(text, -1))
}

// killed demands that processor-1 was killed as the owner of partitions in which
// it had worked, while processor-2 worked on others, and that processor-2 then
// went on with them in the middle of the data.
func killed(t *testing.T, p *process, dir string, r *report.Report) {
	t.Helper()
	if !strings.Contains(p.stdout.String(), "kill -9 of processor-1 after") {
		t.Errorf("nothing was killed")
	}
	victim, given := ownership(t, filepath.Join(dir, "logs", "processor-1.log"))
	if len(victim) == 0 || given != len(victim)-1 {
		t.Fatalf("the victim took partitions over %d times and gave up %d times; a kill leaves the last ones", len(victim), given)
	}
	other, _ := ownership(t, filepath.Join(dir, "logs", "processor-2.log"))
	if len(other) < 2 {
		t.Fatalf("the other processor took partitions over %d times, want before and after the kill", len(other))
	}
	before, after := other[len(other)-2], other[len(other)-1]
	worked := false
	for partition, offset := range before {
		if _, both := victim[len(victim)-1][partition]; both {
			t.Errorf("partition %d had two owners before the kill", partition)
		}
		worked = worked || after[partition] > offset
	}
	if !worked {
		t.Errorf("the other processor did nothing before the kill: %v, then %v", before, after)
	}
	for partition, begun := range victim[len(victim)-1] {
		offset, ok := after[partition]
		if end := r.Cut[partition].End; !ok || offset <= begun || offset >= end {
			t.Errorf("partition %d: the victim began at %d, the other went on at %d (took it: %t); want between that and the end %d", partition, begun, offset, ok, end)
		}
	}
}

func TestKilledProcessor(t *testing.T) {
	t.Parallel() // it mostly waits for the data, as TestForeignClient does
	runs := folder(t)
	p := run(t, 0, "demo", "--processes", "--kill", "processor", "--exit", "--runs", runs)
	dir := only(t, runs, "*")
	r := explained(t, dir)
	killed(t, p, dir, r)
	wholeWeek(t, r)
	if left := commands(t, dir); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}
