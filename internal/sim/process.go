package sim

import (
	"errors"
	"strings"
	"time"
)

// ErrDead is what a dead process gets for each of its calls.
var ErrDead = errors.New("this process is dead")

// Process is a program under test: its goroutines reach the outside through it.
type Process struct {
	Name  string
	world *World
	Ended func(error) // runs when the program has returned

	dead   bool      // guarded by world.mu
	over   bool      // it has returned
	frozen time.Time // until then
	cut    time.Time // until then the network is
}

// Start runs a program as a process.
func (w *World) Start(name string, program func(*Process) error, ended func(error)) *Process {
	p := &Process{Name: name, world: w, Ended: ended}
	w.procs = append(w.procs, p)
	go func() {
		err := program(p)
		w.mu.Lock()
		w.exits = append(w.exits, exit{p, err})
		w.mu.Unlock()
		w.rouse()
	}()
	return p
}

func (p *Process) exited(err error) {
	p.over = true
	p.world.Trace.note("%s ended: %v", p.Name, err)
	if !p.dead {
		p.Kill() // what it left running ends with it
	}
	p.Ended(err)
}

// Dead says that the process was killed.
func (p *Process) Dead() bool { return p.dead }

// Over says that the program has returned.
func (p *Process) Over() bool { return p.over }

// Frozen says that nothing of it runs.
func (p *Process) Frozen() bool { return time.Now().Before(p.frozen) }

// Silent says that nobody hears of the process: it is dead, frozen or cut off.
func (p *Process) Silent() bool { return p.dead || p.Frozen() || p.Cut() }

// Cut says that the process runs, but that the network does not reach it.
func (p *Process) Cut() bool { return time.Now().Before(p.cut) }

// Freeze stops the process for a time. Requests that it has sent take effect.
func (p *Process) Freeze(d time.Duration) {
	p.world.Trace.note("%s freezes for %s", p.Name, d)
	p.frozen = time.Now().Add(d)
}

// CutOff takes the network away for a time.
func (p *Process) CutOff(d time.Duration) {
	p.world.Trace.note("%s is cut off for %s", p.Name, d)
	p.cut = time.Now().Add(d)
}

// Kill ends the process. What it waits for ends with ErrDead, and so does all
// that it asks from now on; requests that it has sent may still take effect.
func (p *Process) Kill() {
	w := p.world
	w.Trace.note("%s is killed", p.Name)
	w.mu.Lock()
	p.dead = true
	w.mu.Unlock()
	var kept []*parked
	for _, c := range w.parked {
		if c.process != p {
			kept = append(kept, c)
			continue
		}
		if !c.done && w.Chaos && w.Rand.IntN(2) == 0 {
			w.arrives(c, "sent by the dead")
		}
		if !c.Local {
			w.Coverage.hit("killed in: " + c.op())
		}
		c.answer <- ErrDead
	}
	w.parked = kept
}

// Heal ends freezing and cuts of all processes, and lets no further fault happen.
func (w *World) Heal() {
	w.Trace.note("healed")
	w.Chaos = false
	for _, p := range w.procs {
		p.frozen, p.cut = time.Time{}, time.Time{}
	}
	for _, c := range w.parked {
		c.held = time.Time{}
	}
}

// End kills what is left and waits until it has returned.
func (w *World) End() {
	w.Chaos = false
	w.settle()
	for _, p := range w.procs {
		if !p.dead {
			p.Kill()
		}
		p.Ended = func(error) {}
	}
	for {
		w.settle()
		left := false
		for _, p := range w.procs {
			left = left || !p.over
		}
		if !left {
			return
		}
		w.pause(time.Time{})
	}
}

// Call is what a process asks of the outside.
type Call struct {
	Name  string      // which object, and what of it; a process has one call of a name at a time
	Local bool        // decided within the process: no message is sent
	Ready func() bool // nil is always; until then Try is not tried
	Until time.Time   // when Try is tried even so; zero is never
	// Try is what is asked; over says that the caller goes on, with err. Else it
	// stays, and is tried again. It runs while no process does.
	Try func() (over bool, err error)
	// Sent gives what the request does when it arrives after the caller has gone:
	// nil if there is nothing on its way. It touches nothing of the caller.
	Sent func() (arrives func())
	// Lost makes the error which the caller sees when the request or the answer is
	// lost; nil if the client hides that.
	Lost func() error
}

// parked is a call that waits for its pick.
type parked struct {
	Call
	process *Process
	answer  chan error
	held    time.Time // not before
	done    bool      // it took effect; the answer is on its way
	err     error
}

// op is the last part of the name: what is asked.
func (c *parked) op() string { return c.Name[strings.LastIndexByte(c.Name, '/')+1:] }

// Do makes the call and waits for its end.
func (p *Process) Do(c Call) error {
	w := p.world
	c.Name = p.Name + "/" + c.Name
	call := &parked{Call: c, process: p, answer: make(chan error, 1)}
	w.mu.Lock()
	dead := p.dead
	if !dead {
		w.arrived = append(w.arrived, call)
	}
	w.mu.Unlock()
	if dead {
		return ErrDead
	}
	w.rouse()
	return <-call.answer
}

func (w *World) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// offer puts a call on the menu if it can go on.
func (w *World) offer(m *Menu, c *parked, now time.Time) {
	p := c.process
	frozen := now.Before(p.frozen)
	switch {
	case frozen && (c.Local || c.done):
		m.At(p.frozen)
	case !c.Local && now.Before(p.cut):
		m.At(p.cut)
	case now.Before(c.held):
		m.At(c.held)
	case c.done:
		m.Add(c.Name+" (answer)", func() { w.end(c, c.err) })
	case c.Ready == nil || c.Ready():
		m.Add(c.Name, func() { w.pick(c) })
	case !c.Until.IsZero() && !now.Before(c.Until):
		m.Add(c.Name+" (late)", func() { w.pick(c) })
	case !c.Until.IsZero():
		m.At(c.Until)
	}
}

// pick tries a call, with the faults that any message can have.
func (w *World) pick(c *parked) {
	if !c.Local {
		switch {
		case w.Chance("slow"):
			c.held = time.Now().Add(w.Span())
			return
		case c.Lost != nil && w.Chance("request lost"):
			w.Coverage.hit("request lost: " + c.op())
			w.end(c, c.Lost())
			return
		case c.Lost != nil && w.Chance("answer lost"):
			if over, _ := c.Try(); over {
				w.Coverage.hit("answer lost: " + c.op())
				w.end(c, c.Lost())
			}
			return
		case c.Lost != nil && w.Chance("request late"):
			w.Coverage.hit("request late: " + c.op())
			w.arrives(c, "given up")
			w.end(c, c.Lost())
			return
		}
	}
	over, err := c.Try()
	switch {
	case !over:
		if !c.Until.IsZero() && time.Now().Before(c.Until) && c.Ready == nil {
			c.held = time.Now().Add(time.Millisecond)
		}
	case !c.Local && (c.process.Frozen() || w.Chance("answer slow")):
		c.done, c.err, c.held = true, err, time.Now().Add(w.Span())
	default:
		w.end(c, err)
	}
}

// arrives lets a request come late whose caller has gone.
func (w *World) arrives(c *parked, why string) {
	if c.Sent == nil {
		return
	}
	if run := c.Sent(); run != nil {
		w.Later(c.Name+" ("+why+")", time.Now().Add(w.Span()/4), run)
	}
}

// end lets the caller go on.
func (w *World) end(c *parked, err error) {
	for i, other := range w.parked {
		if other == c {
			w.parked = append(w.parked[:i], w.parked[i+1:]...)
			c.answer <- err
			return
		}
	}
}
