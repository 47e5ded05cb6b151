// Package sim runs concurrent programs one decision at a time, as a seed says.
//
// A World lives in a testing/synctest bubble, so its clock is not the machine's.
// Whatever a program under test asks of the outside is a Call: it parks until the
// world picks it. Between two picks nothing runs; after a pick one program runs
// until it asks again. What else may happen, the parts of the outside say in
// menus: an answer, a timeout, a message that comes late. Faults are drawn from
// the same seed: an error of each kind, a request or an answer that is lost or
// comes late, a process that freezes, is cut off, or dies.
//
// It may be trusted for this: the same seed and the same code make the same run,
// decision by decision (Trace says so by a hash). A process that died has no
// effect any more, except by requests which it had sent. It does not know what is
// right; whoever runs it compares.
//
// Limits. Threads of one process interleave at their calls only: a data race
// within a process is for the race detector. What the outside does is as good as
// its model.
package sim
