//go:build unix

package failpoints

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/failpoint"
)

// failed demands that the program met its fault and ended with an error that
// names it.
func (p *program) failed() {
	p.t.Helper()
	if code := p.end().ExitCode(); code != 2 || !strings.Contains(p.said.String(), failpoint.ErrInjected.Error()) {
		p.t.Errorf("%s: it ended with %d and said %s", p.armed, code, p.said.String())
	}
}

// A step that fails is no kill: the ingest takes its files back, says why it
// ends, and the next one makes the same files.
func TestIngestFails(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run(l.generator("ledger")...)
	l.run(l.ingest("calm", "calm")...)
	calm, _ := l.ranges("calm")
	for _, armed := range []string{"ingest/mid-file=fail@40", "ingest/before-sync=fail@12", "ingest/renamed=fail@12", "ingest/before-link=fail@5", "ingest/linked=fail@5"} {
		t.Run(armed, func(t *testing.T) {
			t.Parallel()
			l := *l
			l.t = t
			name := strings.ReplaceAll(armed, "/", "-")
			l.start(armed, l.ingest(name, name)...).failed()
			before, left := l.ranges(name)
			if len(before) == 0 || len(before) >= len(calm) {
				t.Errorf("%d of %d ranges were there when it failed, want some", len(before), len(calm))
			}
			for _, path := range left {
				if strings.HasPrefix(path, "events/") {
					t.Errorf("it left %s", path)
				}
			}
			l.run(l.ingest(name, name+" again")...)
			after, _ := l.ranges(name)
			if diff := cmp.Diff(calm, after); diff != "" {
				t.Errorf("-calm +failed and started again:\n%s", diff)
			}
		})
	}
}

// A task that fails is tried again; a commit of the job that fails leaves no
// job, or a whole one.
func TestBatchFails(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run(l.generator("ledger")...)
	l.run(l.ingest("lake", "lake")...)
	l.run(l.batch("calm")...)
	calm := tree(t, l.in("calm"))
	f := func(armed string, ends, exists bool) {
		t.Run(armed, func(t *testing.T) {
			t.Parallel()
			l := *l
			l.t = t
			name := strings.ReplaceAll(armed, "/", "-")
			p := l.start(armed, l.batch(name)...)
			if ends {
				p.failed()
			} else if s := p.end(); !s.Success() {
				t.Errorf("it ended with %v", s)
			}
			fired, err := failpoint.ReadLog(p.log)
			must(t, err)
			if len(fired) != 1 {
				t.Errorf("fired %v", fired)
			}
			left := tree(t, l.in(name))
			if _, is := left["j/_SUCCESS.json"]; is != exists {
				t.Errorf("the job exists: %t, want %t", is, exists)
			}
			if !exists {
				l.run(l.batch(name)...)
			}
			after := tree(t, l.in(name))
			if exists {
				maps.DeleteFunc(after, func(path, _ string) bool { return strings.HasPrefix(path, "_temporary/") })
			}
			if diff := cmp.Diff(calm, after); diff != "" {
				t.Errorf("-calm +failed:\n%s", fmt.Sprintf("%.2000s", diff))
			}
		})
	}
	f("batch/mid-task=fail@4", false, true)
	f("batch/before-task-commit=fail@2", false, true)
	f("batch/task-committed=fail@2", false, true)
	f("batch/before-publish=fail", true, false)
	f("batch/published=fail", true, false)
	f("batch/before-success=fail", true, false)
	f("batch/success=fail", true, true)
}
