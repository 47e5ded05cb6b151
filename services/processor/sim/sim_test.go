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
	runsFlag = flag.Int("runs", 600, "how many runs with fresh seeds are made, beside the fixed ones")
)

// TestRuns makes runs with fixed seeds and with fresh ones. Each run must end with
// the right answer, and all together must have come through every place.
func TestRuns(t *testing.T) {
	if *seedFlag != 0 {
		if o := simulate(t, *seedFlag, sim.NewCoverage(), os.Stderr); o.err != nil {
			t.Errorf("seed %d: %v", *seedFlag, o.err)
		}
		return
	}
	const fixed = 600
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
			t.Fatalf("seed %d: %v\nto see the run: go test ./sim -run TestRuns -seed %d", seed, o.err, seed)
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
	"at taking", "at taken", "at restoring", "at before-begin", "at begun", "at first-produced", "at produced", "at offsets-sent", "at committed", "at revoking",
	"killed at taking", "killed at taken", "killed at restoring", "killed at before-begin", "killed at begun", "killed at first-produced", "killed at produced", "killed at offsets-sent", "killed at committed", "killed at revoking",
	"error at taking", "error at taken", "error at restoring", "error at before-begin", "error at begun", "error at first-produced", "error at produced", "error at offsets-sent", "error at committed", "error at revoking",
	"killed in: init", "killed in: send offsets", "killed in: commit", "killed in: abort", "killed in: committed", "killed in: read", "killed in: offsets",
	"request lost: init", "request lost: send offsets", "request lost: commit", "request lost: abort", "request lost: committed",
	"answer lost: init", "answer lost: send offsets", "answer lost: commit", "answer lost: abort", "answer lost: committed",
	"request late: init", "request late: send offsets", "request late: commit", "request late: abort",
	"retried send offsets", "retried commit", "retried abort", "late commit", "late send offsets", "late end",
	"produce fails", "delivery fails", "begin fails", "fenced in delivery", "offsets refused", "transaction timed out",
	"process killed", "process frozen", "process cut off", "process stopped", "process doubled", "slow", "answer slow", "compaction",
	"rebalance", "session timed out", "member out", "instance replaced", "ended with an error",
}

// The same seed makes the same run, decision by decision.
func TestSameSeedSameRun(t *testing.T) {
	hashes := map[uint64]bool{}
	for seed := range uint64(40) {
		var first, second bytes.Buffer
		a := simulate(t, seed, sim.NewCoverage(), &first)
		b := simulate(t, seed, sim.NewCoverage(), &second)
		if a.hash != b.hash || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("seed %d: two runs differ: %d decisions and %d", seed, a.decisions, b.decisions)
		}
		hashes[a.hash] = true
	}
	if len(hashes) != 40 {
		t.Errorf("40 seeds made only %d different runs", len(hashes))
	}
}
