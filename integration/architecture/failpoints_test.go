package architecture

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"parallax.example/internal/failpoint"
)

// The page must list what the programs have, in the same words.
func TestFailpointsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/correctness.md")
	if err != nil {
		t.Fatal(err)
	}
	f := func(header string, points []failpoint.Point) {
		t.Helper()
		_, rest, found := strings.Cut(string(page), header+"\n| --- | --- |\n")
		if !found {
			t.Fatalf("the page has no table %q", header)
		}
		got, _, _ := strings.Cut(rest, "\n\n")
		var want []string
		for _, p := range points {
			want = append(want, fmt.Sprintf("| `%s` | %s |", p.Name, p.What))
		}
		if got = strings.TrimSpace(got); got != strings.Join(want, "\n") {
			t.Errorf("the table %q is not that of the programs; it should be\n%s", header, strings.Join(want, "\n"))
		}
	}
	f("| failpoint | when it is hit |", failpoint.Points)
}
