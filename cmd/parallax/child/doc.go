// Package child runs programs as processes of their own and ends them: in
// order, or as a fault does, by kill -9 or by freezing.
//
// It may be trusted to leave nothing behind while its own process lives: who
// started a child stops or kills it and waits for Ended. On Linux a child also
// ends when its parent is killed.
package child
