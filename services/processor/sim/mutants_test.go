//go:build mutants

package sim_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/sim"
)

// beside are mutants that are caught only together with another one: what each
// takes away has a second guard, and the other one takes that.
var beside = map[string]string{
	"processor/unfenced":   "processor/ids-late",
	"processor/ids-late":   "processor/unfenced",
	"processor/stable-end": "processor/ids-late",

	"processor/produce-ignored": "kafka/refused-committed",
}

// Every mutant of the processor is caught by the simulator, within so many runs.
func TestMutantsAreCaught(t *testing.T) {
	const hunting = "SIM_HUNT"
	const limit = 6000
	if os.Getenv(hunting) != "" {
		hunt(t, limit)
		return
	}
	for _, m := range append([]failpoint.Point{{Name: "", What: "no mutant"}}, failpoint.Mutants...) {
		if m.Name != "" && !strings.HasPrefix(m.Name, "processor/") {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestMutantsAreCaught$")
			names, what := m.Name, m.What
			if other := beside[m.Name]; other != "" {
				names, what = names+","+other, what+"; together with `"+other+"`"
			}
			cmd.Env = append(os.Environ(), hunting+"=1", failpoint.MutantVariable+"="+names)
			said, err := cmd.CombinedOutput()
			runs, how := reason(string(said))
			switch {
			case m.Name == "" && err != nil:
				t.Errorf("without a mutant a run fails: %s", said)
			case m.Name != "" && err == nil:
				t.Errorf("%d runs did not notice that %s", limit, m.What)
			case m.Name != "":
				t.Logf("| `%s` | %s | %s | %s |", m.Name, what, runs, how)
			}
		})
	}
}

// hunt makes runs until one fails; a panic ends it too.
func hunt(t *testing.T, limit int) {
	c := sim.NewCoverage()
	for i := range uint64(limit) {
		fmt.Printf("run %d\n", i+1)
		if o := simulate(t, i+1, c, nil); o.err != nil {
			t.Fatalf("seed %d: %v", i+1, o.err)
		}
		if os.Getenv(failpoint.MutantVariable) == "" && i == 600 {
			return
		}
	}
}

var (
	runLine = regexp.MustCompile(`run (\d+)\n`)
	failure = regexp.MustCompile(`(?:panic: |seed \d+: )(.*)`)
)

// reason says after how many runs a hunt ended, and how.
func reason(said string) (runs, how string) {
	if all := runLine.FindAllStringSubmatch(said, -1); len(all) > 0 {
		runs = all[len(all)-1][1]
	}
	if found := failure.FindStringSubmatch(said); found != nil {
		how = found[1]
	}
	return runs, how
}
