//go:build unix

package failpoints

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// batch is the command line of one job.
func (l *lab) batch(out string) []string {
	return []string{"batch", "--lake", l.in("lake"), "--views", viewsFile, "--out", l.in(out), "--job", "j", "--workers", "1"}
}

// Whatever kills a job, it does not exist, or it is whole; started again it gives
// the same files, byte for byte, and its _SUCCESS.json once.
func TestBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run(l.generator("ledger")...)
	l.run(l.ingest("lake", "lake")...)
	l.run(l.batch("calm")...)
	calm := tree(t, l.in("calm"))
	const success = "j/_SUCCESS.json"
	if calm[success] == "" || len(calm) < 3 {
		t.Fatalf("the calm job left %q", slices.Collect(maps.Keys(calm)))
	}
	f := func(point string, hit int, exists bool) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l := *l
			l.t = t
			name := strings.ReplaceAll(point, "/", "-")
			l.start(fmt.Sprintf("%s=kill@%d", point, hit), l.batch(name)...).died()
			left := tree(t, l.in(name))
			if _, is := left[success]; is != exists {
				t.Fatalf("the job exists: %t, want %t", is, exists)
			}
			if _, err := os.Stat(filepath.Join(l.in(name), "_temporary", "j")); err != nil {
				t.Errorf("nothing of the job was under way: %v", err)
			}
			again := l.start("", l.batch(name)...)
			if s := again.end(); s.Success() == exists {
				t.Errorf("a second start ended with %v", s)
			}
			if exists && !strings.Contains(again.said.String(), "the job exists") {
				t.Errorf("a second start said %s", again.said.String())
			}
			after := tree(t, l.in(name))
			if exists { // nobody comes by to clean up; it is no part of the answer
				maps.DeleteFunc(after, func(path, _ string) bool { return strings.HasPrefix(path, "_temporary/") })
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(calm)), slices.Sorted(maps.Keys(after))); diff != "" {
				t.Errorf("-calm +killed and started again:\n%s", diff)
			}
			for path := range calm {
				if after[path] != calm[path] {
					t.Errorf("%s has other bytes", path)
				}
			}
		})
	}
	f("batch/mid-task", 4, false)
	f("batch/before-task-commit", 2, false)
	f("batch/task-committed", 2, false)
	f("batch/before-publish", 1, false)
	f("batch/published", 1, false)
	f("batch/before-success", 1, false)
	f("batch/success", 1, true)
}
