package failpoint

// Mutants lists all mutants: bugs that were made, or might well be, each of
// which a check must catch.
var Mutants = []Point{}
