//go:build mutants

package mutants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parallax.example/internal/failpoint"
)

const patience = 3 * time.Minute // of one run

// Every mutant is caught by its check, in the words of the table; and the same
// checks pass without a mutant, so that what they catch is the mutant.
func TestMutantsAreCaught(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]string{} // by package
	for _, c := range Table {
		if programs[c.Package] == "" {
			programs[c.Package] = build(t, root, c.Package)
		}
	}
	healthy := map[[2]string]bool{}
	for _, c := range Table {
		t.Run(c.Mutant, func(t *testing.T) {
			if at := [2]string{c.Package, c.Test}; !healthy[at] {
				healthy[at] = true
				if said, err := run(t, root, programs[c.Package], c, ""); err != nil {
					t.Fatalf("%s fails without a mutant: %v\n%s", c.Test, err, said)
				}
			}
			said, err := run(t, root, programs[c.Package], c, c.Mutant)
			var failed *exec.ExitError
			switch {
			case err == nil:
				t.Errorf("%s of %s did not notice it", c.Test, c.Package)
			case !errors.As(err, &failed) || !strings.Contains(said, "--- FAIL: "+c.Test) || !strings.Contains(said, c.Message):
				t.Errorf("%s of %s: %v; it does not say %q but\n%s", c.Test, c.Package, err, c.Message, said)
			default:
				t.Logf("caught by %s of %s: %s", c.Test, c.Package, c.Message)
			}
		})
	}
}

// Each mutant stands in the table once. Those of the processor's simulation are
// its own to show.
func TestEachMutantHasACheck(t *testing.T) {
	for _, m := range failpoint.Mutants {
		n := 0
		for _, c := range Table {
			if c.Mutant == m.Name {
				n++
			}
		}
		if n != 1 && !strings.HasPrefix(m.Name, "processor/") {
			t.Errorf("mutant %s has %d checks, want one", m.Name, n)
		}
	}
	for _, c := range Table {
		if !slices.ContainsFunc(failpoint.Mutants, func(p failpoint.Point) bool { return p.Name == c.Mutant }) {
			t.Errorf("there is no mutant %s", c.Mutant)
		}
	}
}

// build builds the tests of a package with its mutants.
func build(t *testing.T, root, pkg string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "check.test")
	cmd := exec.Command("go", "test", "-tags", "mutants", "-c", "-o", program, "parallax.example/"+pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"))
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the tests of %s: %v\n%s", pkg, err, said)
	}
	return program
}

// run runs a check with a mutant, or none.
func run(t *testing.T, root, program string, c Check, mutant string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.v", "-test.run", "^"+c.Test+"$")
	cmd.Dir = filepath.Join(root, filepath.FromSlash(c.Package))
	cmd.Env = append(os.Environ(), failpoint.MutantVariable+"="+mutant)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not end: %w", ctx.Err())
	}
	if err == nil && !strings.Contains(said.String(), "--- PASS: "+c.Test) {
		err = fmt.Errorf("no test of that name ran")
	}
	return said.String(), err
}
