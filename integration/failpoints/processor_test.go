//go:build unix

package failpoints

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/kafka"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
)

const group = "parallax-processor"

// processor is the command line of one that keeps its name over restarts, so
// that it gets its partitions back at once.
func (l *lab) processor(views string) []string {
	return []string{"processor", "--brokers", l.client.Brokers, "--views", views, "--group", group, "--instance", "one", "--batch-records", "100"}
}

// processed waits until the input is committed to its end.
func (l *lab) processed() {
	l.t.Helper()
	ends, err := l.admin.Offsets(l.t.Context(), l.topics.Events, all())
	must(l.t, err)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		committed, err := l.admin.Committed(l.t.Context(), group, l.topics.Events, all())
		must(l.t, err)
		behind := false
		for i := range ends {
			behind = behind || committed[i].Offset < ends[i].Stable
		}
		if !behind {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("committed %v of %v", committed, ends)
		}
	}
}

// stop ends a processor in order.
func (p *program) stop() {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.end()
}

// verify holds the committed results against the oracle's, and says how many
// final rows there are.
func (l *lab) verify() {
	l.t.Helper()
	var log []oracle.Record
	l.read(l.topics.Events, func(b *kafka.Batch, i int) {
		log = append(log, oracle.Record{Partition: b.Partition, Offset: b.Offsets[i], Value: append([]byte(nil), b.Value(i)...)})
	})
	rows := map[result.Cell]result.Agg{}
	l.read(l.topics.Results, func(b *kafka.Batch, i int) {
		var r result.Result
		must(l.t, r.Decode(b.Value(i)))
		if r.Stage != result.Final {
			return
		}
		if _, twice := rows[r.Cell()]; twice {
			l.t.Errorf("%v has two final rows", r.Cell())
		}
		rows[r.Cell()] = r.Agg
	})
	want := oracle.Stream(l.views, log).Rows
	if len(want) < 100 {
		l.t.Errorf("%d rows are too few to test anything", len(want))
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		l.t.Errorf("final rows, -oracle +processor:\n%s", diff)
	}
}

// Whatever kills the processor, the one that follows it makes the answer whole.
func TestProcessor(t *testing.T) {
	t.Parallel()
	f := func(point string, hit int, action string) {
		t.Run(point+"="+action, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.run(l.generator("ledger")...)
			l.start(fmt.Sprintf("%s=%s@%d", point, action, hit), l.processor(viewsFile)...).died()
			p := l.start("", l.processor(viewsFile)...)
			l.processed()
			p.stop()
			l.verify()
		})
	}
	f("processor/taking", 1, "kill")
	f("processor/taken", 1, "kill")
	f("processor/before-begin", 3, "kill")
	f("processor/begun", 3, "kill")
	f("processor/first-produced", 3, "kill")
	f("processor/produced", 3, "kill")
	f("processor/offsets-sent", 3, "kill")
	f("processor/offsets-sent", 3, "kill-after=1ms") // during the commit
	f("processor/committed", 3, "kill")

	// These come later: at the end, and at the start after it.
	g := func(point, armed string, second bool) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.run(l.generator("ledger")...)
			if second {
				l.start("processor/committed=kill@4", l.processor(viewsFile)...).died()
			}
			p := l.start(armed, l.processor(viewsFile)...)
			if !second {
				l.processed()
				must(t, p.cmd.Process.Signal(syscall.SIGTERM))
			}
			p.died()
			p = l.start("", l.processor(viewsFile)...)
			l.processed()
			p.stop()
			l.verify()
		})
	}
	g("processor/revoking", "processor/revoking=kill@1", false)
	g("processor/restoring", "processor/restoring=kill@1", true)
}

// changedViews is a file in which the first view differs.
func (l *lab) changedViews() string {
	text, err := os.ReadFile(viewsFile)
	must(l.t, err)
	other := bytes.Replace(text, []byte("lateness: 1h"), []byte("lateness: 2h"), 1)
	if bytes.Equal(text, other) {
		l.t.Fatal("the views file has another form")
	}
	must(l.t, os.WriteFile(l.in("changed.yaml"), other, 0o644))
	return l.in("changed.yaml")
}

// A reset that dies with the partition's id in its hands has changed nothing.
func TestReset(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run(l.generator("ledger")...)
	p := l.start("", l.processor(viewsFile)...)
	l.processed()
	p.stop()
	changed := l.changedViews()
	reset := []string{"processor", "reset", "--brokers", l.client.Brokers, "--views", changed, "--group", group, "--instance", "one", "--view", l.views.Views[0].Name}
	l.start("processor/moving=kill@2", reset...).died()
	refused := l.start("", l.processor(viewsFile)...)
	if refused.end().Success() || !strings.Contains(refused.said.String(), "has another definition") {
		t.Errorf("between two partitions of a reset a processor said %s", refused.said.String())
	}
	l.run(reset...)
	p = l.start("", l.processor(changed)...)
	l.processed()
	p.stop()
}
