package architecture

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/integration/mutants"
	"parallax.example/internal/failpoint"
)

// The page must list what the programs have, in the same words.
func TestFailpointsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/correctness.md")
	if err != nil {
		t.Fatal(err)
	}
	f := func(header string, want []string) {
		t.Helper()
		_, rest, found := strings.Cut(string(page), header)
		if !found {
			t.Fatalf("the page has no table %q", header)
		}
		got, _, _ := strings.Cut(rest, "\n\n")
		if got = strings.TrimSpace(got); got != strings.Join(want, "\n") {
			t.Errorf("the table %q is not that of the programs; it should be\n%s", header, strings.Join(want, "\n"))
		}
	}
	var points, bugs []string
	for _, p := range failpoint.Points {
		points = append(points, fmt.Sprintf("| `%s` | %s |", p.Name, p.What))
	}
	for _, m := range failpoint.Mutants {
		for _, c := range mutants.Table {
			if c.Mutant == m.Name {
				bugs = append(bugs, fmt.Sprintf("| `%s` | %s | `%s` of %s | %s |", m.Name, m.What, c.Test, c.Package, c.Message))
			}
		}
	}
	f("| failpoint | when it is hit |\n| --- | --- |\n", points)
	f("| mutant | what is wrong | caught by | in the words |\n| --- | --- | --- | --- |\n", bugs)
}

// A mutant that the page names anywhere, and that does not exist, catches nothing.
func TestMutantsOfThePageExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/correctness.md")
	if err != nil {
		t.Fatal(err)
	}
	said := named.FindAllSubmatch(page, -1)
	for _, m := range said {
		if !slices.ContainsFunc(failpoint.Mutants, func(p failpoint.Point) bool { return p.Name == string(m[1]) }) {
			t.Errorf("the page names a mutant %s, and there is none", m[1])
		}
	}
	if len(said) == 0 {
		t.Error("the page names no mutant in its text")
	}
}

var (
	named  = regexp.MustCompile("(?:mutant |PARALLAX_MUTANT=)`?([a-z]+/[a-z-]+)")
	placed = regexp.MustCompile(`\b[Hh]ere\("([^"]+)"\)`) // itself, or where a test's probe may stand in its place
	step   = regexp.MustCompile(`Step = "([^"]+)"`)       // of the processor's loop
)

// A failpoint that stands nowhere would never fire; one that no list names could not be armed.
func TestFailpointsAreInThePrograms(t *testing.T) {
	var got, want []string
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains([]string{".git", "bin", "runs", "failpoint"}, e.Name()):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range placed.FindAllSubmatch(text, -1) {
			got = append(got, string(m[1]))
		}
		if strings.HasSuffix(path, "services/processor/task/loop.go") {
			for _, m := range step.FindAllSubmatch(text, -1) {
				got = append(got, "processor/"+string(m[1]))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range failpoint.Points {
		want = append(want, p.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("the list and the places differ:\n", diff)
	}
}
