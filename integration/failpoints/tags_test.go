//go:build unix && !mutants

package failpoints

const tags = ""
