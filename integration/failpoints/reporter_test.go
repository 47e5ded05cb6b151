//go:build unix

package failpoints

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever kills the reporter, no file of a report is there in part, and
// report.json, which comes last, is never newer than the others.
func TestReporter(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run(l.generator("ledger")...)
	p := l.start("", l.processor(viewsFile)...)
	l.processed()
	p.stop()
	l.run(l.ingest("lake", "lake")...)
	l.run(l.batch("batch")...)
	reporter := func(out string) []string {
		return []string{"reporter", "--brokers", l.client.Brokers, "--views", viewsFile, "--group", group, "--ledger", l.in("ledger"),
			"--lake", l.in("lake"), "--batch", l.in("batch/j"), "--out", l.in(out)}
	}
	visible := func(out string) map[string]string {
		files := tree(t, l.in(out))
		maps.DeleteFunc(files, func(path, _ string) bool { return strings.HasPrefix(path, ".") })
		return files
	}
	l.run(reporter("calm")...)
	calm := visible("calm")
	f := func(armed string, left ...string) {
		t.Run(armed, func(t *testing.T) {
			l := *l
			l.t = t
			out := strings.ReplaceAll(armed, "/", "-")
			l.start(armed, reporter(out)...).died()
			before := visible(out)
			if diff := cmp.Diff(left, slices.Sorted(maps.Keys(before))); diff != "" {
				t.Errorf("it left -want +got:\n%s", diff)
			}
			if csv, is := before["cells.csv"]; is && csv != calm["cells.csv"] {
				t.Error("it left cells.csv in part")
			}
			l.run(reporter(out)...)
			after := visible(out)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(calm)), slices.Sorted(maps.Keys(after))); diff != "" {
				t.Errorf("-calm +killed and started again:\n%s", diff)
			}
			if after["cells.csv"] != calm["cells.csv"] || !json.Valid([]byte(after["report.json"])) {
				t.Error("the report is another one")
			}
		})
	}
	f("reporter/before-rename=kill")
	f("reporter/renamed=kill@2", "cells.csv", "cells.parquet")
}
