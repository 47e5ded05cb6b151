// Package web is the live page of a run: both answers as they come, what
// happened to the events, how far each partition's time has come.
//
// It shows what it is given and computes nothing: the verdict is the
// comparison's. It is meant for one machine's own user. Listen binds loopback
// only, and Handler answers only requests that name a loopback host, so that a
// foreign page cannot reach it by DNS rebinding. Nothing is accepted: every
// request is a GET. Pages load nothing from elsewhere and hold no inline script.
package web
