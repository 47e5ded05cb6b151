//go:build mutants

package failpoint

import (
	"os"
	"strings"
	"testing"
)

func TestMutant(t *testing.T) {
	was := Mutants
	defer func() { Mutants = was }()
	Mutants = []Point{{"test/a", "a"}, {"test/b", "b"}, {"test/c", "c"}}
	t.Setenv(MutantVariable, "test/a,test/c")
	if !Mutant("test/a") || Mutant("test/b") || !Mutant("test/c") {
		t.Error("other mutants are switched on than were named")
	}
	t.Setenv(MutantVariable, "")
	if Mutant("test/a") {
		t.Error("a mutant is switched on by nothing")
	}
	faults := Arm(func(name string) (string, bool) {
		return map[string]string{MutantVariable: "test/a,test/x"}[name], true
	}, os.Stderr)
	if len(faults) != 1 || !strings.Contains(faults[0].Message, `no mutant "test/x"`) {
		t.Errorf("got %v", faults)
	}
}
