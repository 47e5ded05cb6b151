package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// World is one run. Its methods are for the goroutine that made it, but for those
// of Process.
type World struct {
	Rand     *rand.Rand
	Chaos    bool // faults may happen
	Trace    Trace
	Coverage *Coverage

	began   time.Time
	sources []func(*Menu)
	menu    Menu
	parked  []*parked
	ghosts  []ghost
	rates   map[string]float64
	failure error
	procs   []*Process

	mu      sync.Mutex
	arrived []*parked // since the last decision
	exits   []exit    // likewise
	wake    chan struct{}
}

type exit struct {
	process *Process
	err     error
}

// New makes a world. It must be called in a synctest bubble. log, if not nil,
// gets a line for each decision.
func New(seed uint64, coverage *Coverage, log io.Writer) *World {
	return &World{
		Rand: rand.New(rand.NewPCG(seed, 0)), Chaos: true, Coverage: coverage, Trace: newTrace(log),
		began: time.Now(), rates: make(map[string]float64), wake: make(chan struct{}, 1),
	}
}

// Menu is what may happen next.
type Menu struct {
	items []item
	next  time.Time
}

type item struct {
	name string
	run  func()
}

// Add says that something may happen now. Names and their order must follow from
// the run so far alone.
func (m *Menu) Add(name string, run func()) { m.items = append(m.items, item{name, run}) }

// At says that something may happen at t that may not happen now.
func (m *Menu) At(t time.Time) {
	if m.next.IsZero() || t.Before(m.next) {
		m.next = t
	}
}

// Source adds what puts things on the menu before each decision.
func (w *World) Source(s func(*Menu)) { w.sources = append(w.sources, s) }

// Fail ends the run with a violation; the first one counts.
func (w *World) Fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
		w.Trace.note("VIOLATION: %v", w.failure)
	}
}

// Run makes decisions until done, and returns the first violation. That it is not
// done within so much of the world's time and so many decisions is one too.
func (w *World) Run(what string, done func() bool, within time.Duration, decisions int) error {
	for end := time.Now().Add(within); w.failure == nil; decisions-- {
		w.settle()
		if done() {
			break
		}
		if decisions <= 0 || time.Now().After(end) {
			w.Fail("no %s after %s: %s", what, time.Since(w.began).Round(time.Millisecond), w.waiting())
			break
		}
		w.decide()
	}
	return w.failure
}

func (w *World) waiting() string {
	names := make([]string, len(w.parked))
	for i, c := range w.parked {
		names[i] = c.Name
	}
	return "waiting are " + strings.Join(names, ", ")
}

// settle waits until every goroutine waits for the world, and takes in what they
// ask and which programs have returned.
func (w *World) settle() {
	for {
		synctest.Wait()
		exits := w.collect()
		for _, e := range exits {
			e.process.exited(e.err)
		}
		if len(exits) == 0 {
			return
		}
	}
}

// collect takes over what goroutines have left.
func (w *World) collect() (exits []exit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.wake:
	default:
	}
	if len(w.arrived) > 0 {
		w.parked = append(w.parked, w.arrived...)
		w.arrived = w.arrived[:0]
		slices.SortFunc(w.parked, func(a, b *parked) int { return strings.Compare(a.Name, b.Name) })
		for i := 1; i < len(w.parked); i++ {
			if w.parked[i].Name == w.parked[i-1].Name {
				w.Fail("two goroutines are in %s at once", w.parked[i].Name)
			}
		}
	}
	exits, w.exits = w.exits, nil
	slices.SortFunc(exits, func(a, b exit) int { return strings.Compare(a.process.Name, b.process.Name) })
	return exits
}

// decide lets one thing happen, or time pass if nothing can.
func (w *World) decide() {
	now := time.Now()
	m := &w.menu
	m.items, m.next = m.items[:0], time.Time{}
	for _, c := range w.parked {
		w.offer(m, c, now)
	}
	for i, g := range w.ghosts {
		if now.Before(g.from) {
			m.At(g.from)
			continue
		}
		m.Add(g.name, func() { w.ghosts = slices.Delete(w.ghosts, i, i+1); g.run() })
	}
	for _, s := range w.sources {
		s(m)
	}
	if len(m.items) == 0 {
		w.pause(m.next)
		return
	}
	chosen := m.items[w.Rand.IntN(len(m.items))]
	w.Trace.add(now.Sub(w.began), chosen.name)
	chosen.run()
	if w.Rand.IntN(2) == 0 {
		time.Sleep(time.Duration(w.Rand.IntN(2_000)) * time.Microsecond)
	}
}

// pause lets time pass until the next thing can happen.
func (w *World) pause(next time.Time) {
	if next.IsZero() {
		next = time.Now().Add(time.Minute) // a program may be waiting for its own timer
	}
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	select {
	case <-w.wake:
	case <-timer.C:
	}
}

// Later lets run happen at some time from a moment on, in whatever order.
func (w *World) Later(name string, from time.Time, run func()) {
	w.ghosts = append(w.ghosts, ghost{name, from, run})
}

// ghost is a message that is still on its way.
type ghost struct {
	name string
	from time.Time
	run  func()
}

// Chance draws whether a fault of this name happens. Each run has faults of some
// kinds only, and each kind at a rate of its own: what is rare together is found
// in a run where the rest is quiet.
func (w *World) Chance(fault string) bool {
	if !w.Chaos {
		return false
	}
	rate, ok := w.rates[fault]
	if !ok {
		rate = [...]float64{0, 0, 0, 0.003, 0.02, 0.1}[w.Rand.IntN(6)]
		w.rates[fault] = rate
	}
	if rate == 0 || w.Rand.Float64() >= rate {
		return false
	}
	w.Coverage.hit(fault)
	w.Trace.note("fault: %s", fault)
	return true
}

// Span draws a time from some milliseconds to twelve seconds, short ones more often.
func (w *World) Span() time.Duration {
	longest := [...]time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 4 * time.Second, 12 * time.Second}[w.Rand.IntN(5)]
	return time.Duration(w.Rand.Int64N(int64(longest)))
}
