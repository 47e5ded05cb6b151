//go:build mutants

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Mutant says whether the bug is switched on: it is one of the names in
// PARALLAX_MUTANT. The variable is read each time, so that a test can set it.
func Mutant(name string) bool {
	if !known(Mutants, name) {
		panic(fmt.Sprintf("BUG: the mutant %q is not in the list of mutants", name))
	}
	names := os.Getenv(MutantVariable)
	if names == "" {
		return false
	}
	if wrong := refuseMutants(names); wrong != nil {
		panic(MutantVariable + ": " + strings.Join(wrong, "; "))
	}
	return slices.Contains(strings.Split(names, ","), name)
}

func refuseMutants(names string) (faults []string) {
	if names == "" {
		return nil
	}
	for name := range strings.SplitSeq(names, ",") {
		if !known(Mutants, name) {
			faults = append(faults, fmt.Sprintf("there is no mutant %q; \"parallax failpoints\" lists them", name))
		}
	}
	return faults
}
