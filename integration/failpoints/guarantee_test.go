//go:build unix

package failpoints

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
)

// anonymous sends events without an id, of which nobody can tell a second time
// from a first.
func (l *lab) anonymous(n int) {
	l.t.Helper()
	p, err := kafka.NewProducer(l.client, kafka.ProducerConfig{})
	must(l.t, err)
	defer p.Close()
	for i := range n {
		value := event.AppendJSON(nil, &event.Event{Key: []byte{'A' + byte(i%5)}, Value: int64(i), Time: 992_217_600_000_000 + int64(i)*1_000_000})
		must(l.t, p.Produce(l.t.Context(), kafka.Record{Topic: l.topics.Events, Partition: int32(i % partitions), Value: value}, 0))
	}
	must(l.t, p.Flush(l.t.Context()))
}

// The same death, under each guarantee, from the processor to the report: exactly
// once shows nothing of it, and of the others the report names the damage.
func TestGuarantees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		guarantee, outcome, cause string
		code                      int
	}{
		{"exactly-once", "explained", "", 0},
		{"at-least-once", "damaged", "counted-again", 1},
		{"at-most-once", "damaged", "not-counted", 1},
	} {
		t.Run(c.guarantee, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.anonymous(800)
			l.run(l.generator("ledger")...)
			processor := append(l.processor(viewsFile), "--guarantee", c.guarantee)
			l.start("processor/offsets-sent=kill@3", processor...).died()
			p := l.start("", processor...)
			l.processed()
			p.stop()
			l.run(l.ingest("lake", "lake")...)
			l.run(l.batch("batch")...)
			r := l.start("", "reporter", "--brokers", l.client.Brokers, "--views", viewsFile, "--group", group, "--ledger", l.in("ledger"),
				"--lake", l.in("lake"), "--batch", l.in("batch/j"), "--out", l.in("report"))
			if code := r.end().ExitCode(); code != c.code {
				t.Errorf("the reporter's exit code is %d, want %d", code, c.code)
			}
			text, err := os.ReadFile(l.in("report/report.json"))
			must(t, err)
			var report struct {
				Verdict     struct{ Outcome, Headline string }
				Causes      []struct{ Cause string }
				Unexplained struct {
					Total  int
					Listed []struct{ Check, What string }
				}
				Damage *struct{ Ranges []json.RawMessage }
			}
			must(t, json.Unmarshal(text, &report))
			var causes []string
			for _, x := range report.Causes {
				causes = append(causes, x.Cause)
			}
			t.Logf("%s: %s; causes %v", c.guarantee, report.Verdict.Headline, causes)
			if report.Verdict.Outcome != c.outcome || report.Unexplained.Total > 0 {
				t.Errorf("the verdict is %s: %s", report.Verdict.Outcome, report.Verdict.Headline)
			}
			damage := slices.DeleteFunc(causes, func(x string) bool { return x != "counted-again" && x != "not-counted" })
			if c.cause == "" && (len(damage) > 0 || report.Damage != nil) || c.cause != "" && (!slices.Equal(damage, []string{c.cause}) || report.Damage == nil || len(report.Damage.Ranges) == 0) {
				t.Errorf("causes of damage %v, want %q; %+v", damage, c.cause, report.Damage)
			}
		})
	}
}
