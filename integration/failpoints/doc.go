// Package failpoints kills the real programs at each of their failpoints, one
// after the other, or lets the step fail, and looks at what they left and at
// what a second start makes of it. Everything is in its tests, which only unix
// can run.
//
// It may be trusted for this: each failpoint kills where its description says,
// and the files after a second start are, byte for byte, those of a run that
// nobody killed. What may go wrong between several programs, and between
// programs and brokers, is the business of "parallax torture".
package failpoints
