//go:build !mutants

package failpoint

// Mutant says whether the bug is switched on: never, in this build.
func Mutant(string) bool { return false }

func refuseMutants(names string) []string {
	if names == "" {
		return nil
	}
	return []string{"this program was built without mutants; build it with -tags mutants, or unset the variable"}
}
