package sim_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"parallax.example/internal/sim"
)

var (
	seedFlag = flag.Uint64("seed", 0, "make the run of this seed only, and print each decision")
	runsFlag = flag.Int("runs", 300, "how many runs with fresh seeds are made, beside the fixed ones")
)

// TestRuns makes runs with fixed seeds and with fresh ones. In each the lake must
// become the log, and all together must have come through every place.
func TestRuns(t *testing.T) {
	if *seedFlag != 0 {
		if o := simulate(t, *seedFlag, sim.NewCoverage(), os.Stderr); o.err != nil {
			t.Errorf("seed %d: %v", *seedFlag, o.err)
		}
		return
	}
	const fixed = 300
	fresh := uint64(time.Now().UnixNano())
	coverage := sim.NewCoverage()
	began, decisions := time.Now(), 0
	for i := range uint64(fixed + *runsFlag) {
		seed := i + 1
		if i >= fixed {
			seed = fresh + i
		}
		o := simulate(t, seed, coverage, nil)
		decisions += o.decisions
		if o.err != nil {
			t.Fatalf("seed %d: %v\nto see the run: go test ./ingest/sim -run TestRuns -seed %d", seed, o.err, seed)
		}
	}
	took, runs := time.Since(began), fixed+*runsFlag
	t.Logf("%d runs, fresh seeds from %d on, %d decisions, %.0f runs a minute", runs, fresh+fixed, decisions, float64(runs)/took.Minutes())
	for _, what := range slices.Sorted(maps.Keys(coverage.Hits)) {
		ways := ""
		if n := len(coverage.Paths[what]); n > 0 {
			ways = fmt.Sprintf(", by %d ways", n)
		}
		t.Logf("%8d × %s%s", coverage.Hits[what], what, ways)
	}
	for _, what := range places {
		if coverage.Hits[what] == 0 {
			t.Errorf("no run came to: %s", what)
		}
	}
}

// places are what the fixed seeds alone come through.
var places = []string{
	"at ingest/mid-file", "at ingest/before-sync", "at ingest/renamed", "at ingest/before-link", "at ingest/linked",
	"killed at ingest/mid-file", "killed at ingest/before-sync", "killed at ingest/renamed", "killed at ingest/before-link", "killed at ingest/linked",
	"error at ingest/mid-file", "error at ingest/before-sync", "error at ingest/renamed", "error at ingest/before-link", "error at ingest/linked",
	"killed in: topic", "killed in: offsets", "request lost: topic", "request lost: offsets", "answer lost: topic", "answer slow", "slow",
	"ingester killed", "ingester frozen", "ingester cut off", "ingester stopped", "another ingester was first", "ended with an error", "read",
	"rebalance", "session timed out",
}

// The same seed makes the same run, decision by decision.
func TestSameSeedSameRun(t *testing.T) {
	hashes := map[uint64]bool{}
	for seed := range uint64(30) {
		var first, second bytes.Buffer
		a := simulate(t, seed, sim.NewCoverage(), &first)
		b := simulate(t, seed, sim.NewCoverage(), &second)
		if a.hash != b.hash || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("seed %d: two runs differ: %d decisions and %d", seed, a.decisions, b.decisions)
		}
		hashes[a.hash] = true
	}
	if len(hashes) != 30 {
		t.Errorf("30 seeds made only %d different runs", len(hashes))
	}
}
