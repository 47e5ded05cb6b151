//go:build unix && mutants

package failpoints

// tags of the program under test: a mutant that the environment names is in it too.
const tags = "mutants"
