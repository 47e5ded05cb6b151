package generator

import (
	"context"
	"time"
)

// Clock is the wall clock, or a test's. It is used by several goroutines.
type Clock interface {
	Now() time.Time
	// Wait returns at t, or with ctx's error.
	Wait(ctx context.Context, t time.Time) error
}

// WallClock is the real one.
type WallClock struct{}

// Now is time.Now.
func (WallClock) Now() time.Time { return time.Now() }

// Wait sleeps until t.
func (WallClock) Wait(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pace maps a source's own time to ours. The schedule is fixed at the start: a
// slow sender falls behind it and does not shift it.
type pace struct {
	start  time.Time
	origin int64 // the source's time at start, µs
	speed  Speed
}

// at is when something due at µs of the source's time is to be sent; at
// unlimited speed that is always now.
func (p *pace) at(due int64, now time.Time) time.Time {
	if p.speed == 0 {
		return now
	}
	return p.start.Add(time.Duration(float64(due-p.origin) / float64(p.speed) * float64(time.Microsecond)))
}
