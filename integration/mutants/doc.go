// Package mutants shows that the checks catch what they are there for: each
// known bug of failpoint.Mutants is switched on, and the test named for it must
// fail, with its own message. Without a bug the same tests must pass.
//
// It may be trusted for the bugs in its table, and for no other ones.
package mutants
