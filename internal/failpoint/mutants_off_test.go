//go:build !mutants

package failpoint

import (
	"os"
	"testing"
)

// A program without mutants must not run as if it had one.
func TestMutantsRefused(t *testing.T) {
	faults := Arm(func(name string) (string, bool) { return map[string]string{MutantVariable: "x"}[name], true }, os.Stderr)
	if len(faults) != 1 || faults[0].Variable != MutantVariable {
		t.Errorf("got %v", faults)
	}
}
