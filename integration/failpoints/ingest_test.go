//go:build unix

package failpoints

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/lake"
)

func walk(root fs.FS, fn func(path string, content []byte)) error {
	return fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, path)
		fn(path, b)
		return err
	})
}

// ingest is the command line for a lake. Each start is a group of its own, so
// that nobody waits for the session of the one that was killed.
func (l *lab) ingest(folder, group string) []string {
	return []string{"ingest", "--brokers", l.client.Brokers, "--lake", l.in(folder), "--group", group, "--rows", "50", "--to-end"}
}

// ranges reads a lake's manifests, holds every file against its checksum, and
// says what each range holds. Only ids and times of writing are left out.
func (l *lab) ranges(folder string) (ranges, orphans []string) {
	l.t.Helper()
	d, err := lake.Open(l.in(folder))
	must(l.t, err)
	defer d.Close()
	chains, err := d.Chains(l.topics.Events)
	must(l.t, err)
	for _, c := range chains {
		for _, m := range c.Manifests {
			must(l.t, d.Verify(l.t.Context(), m))
			text := fmt.Sprintf("%d: %d to %d, %+v %+v %v %v", m.Partition, m.Start, m.End, m.Counts, m.IDs, m.DeadLetters, m.Punctuations)
			for _, f := range m.Files {
				text += fmt.Sprintf("\n\t%s %d %s", f.Path[:strings.LastIndexByte(f.Path, '-')], f.Size, f.SHA256)
			}
			ranges = append(ranges, text)
		}
	}
	orphans, err = d.Orphans(l.t.Context())
	must(l.t, err)
	return ranges, orphans
}

// Whatever kills the ingest leaves orphans at most; the next one makes the same
// files, byte for byte, as if nothing had happened.
func TestIngest(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run(l.generator("ledger")...)
	l.run(l.ingest("calm", "calm")...)
	calm, orphans := l.ranges("calm")
	if len(calm) < 10 || len(orphans) > 0 {
		t.Fatalf("%d ranges and the orphans %q: this tests nothing", len(calm), orphans)
	}
	f := func(point string, hit int, orphaned bool) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l := *l
			l.t = t
			name := strings.ReplaceAll(point, "/", "-")
			l.start(fmt.Sprintf("%s=kill@%d", point, hit), l.ingest(name, name)...).died()
			before, left := l.ranges(name)
			if len(before) == 0 || len(before) >= len(calm) {
				t.Errorf("%d of %d ranges were there when it died, want some", len(before), len(calm))
			}
			for _, r := range before {
				if !slices.Contains(calm, r) {
					t.Errorf("it left a range that is no other ingest's: %s", r)
				}
			}
			if orphaned != slices.ContainsFunc(left, func(p string) bool { return strings.HasPrefix(p, "events/") }) {
				t.Errorf("data files that no manifest names: %q", left)
			}
			l.run(l.ingest(name, name+" again")...)
			after, still := l.ranges(name)
			if diff := cmp.Diff(calm, after); diff != "" {
				t.Errorf("-calm +killed and started again:\n%s", diff)
			}
			if diff := cmp.Diff(left, still); diff != "" {
				t.Errorf("the second start touched or left orphans:\n%s", diff)
			}
		})
	}
	f("ingest/mid-file", 40, true)
	f("ingest/before-sync", 12, true)
	f("ingest/renamed", 12, true)
	f("ingest/before-link", 5, true)
	f("ingest/linked", 5, false)
}
