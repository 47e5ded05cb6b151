package failpoint

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// The variables that arm a process.
const (
	Variable       = "PARALLAX_FAILPOINTS"     // entries NAME=ACTION@HITS, with commas between
	LogVariable    = "PARALLAX_FAILPOINTS_LOG" // file to which each firing is appended; see ReadLog
	MutantVariable = "PARALLAX_MUTANT"         // names of mutants, with commas between
)

// ErrInjected is wrapped by the error of a step that fails on purpose.
var ErrInjected = errors.New("injected fault")

// Fault is one thing wrong with the environment.
type Fault struct {
	Variable string
	Message  string
}

// armed is what this process was told to do; nil in every ordinary one.
var armed atomic.Pointer[plan]

// plan is the rules and where firings are told.
type plan struct {
	text   string // as it was given
	points map[string]*point
	stderr io.Writer
	log    *os.File // nil without LogVariable
}

// point is one armed name.
type point struct {
	hits  atomic.Uint64
	rules []rule
}

// Here is a failpoint. The error is nil, or the step at which it stands is to
// fail with it. Names are those of Points.
func Here(name string) error {
	if p := armed.Load(); p != nil {
		return p.here(name)
	}
	return nil
}

// Armed returns what this process was told to do, or "".
func Armed() string {
	if p := armed.Load(); p != nil {
		return p.text
	}
	return ""
}

// Arm arms the process as its environment says; look is os.LookupEnv. Firings
// are told to stderr too. It is called once, before the program begins; any
// fault means that nothing is armed and that the program must not run.
func Arm(look func(name string) (string, bool), stderr io.Writer) (faults []Fault) {
	mutants, _ := look(MutantVariable)
	for _, message := range refuseMutants(mutants) {
		faults = append(faults, Fault{MutantVariable, message})
	}
	text, _ := look(Variable)
	points, messages := parse(text)
	for _, message := range messages {
		faults = append(faults, Fault{Variable, message})
	}
	p := &plan{text: text, points: points, stderr: stderr}
	if name, _ := look(LogVariable); name != "" && text != "" {
		var err error
		if p.log, err = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			faults = append(faults, Fault{LogVariable, fmt.Sprintf("cannot open the log of firings: %v", err)})
		}
	}
	if len(faults) > 0 || text == "" {
		return faults
	}
	fmt.Fprintf(stderr, "FAILPOINTS ARE ARMED, this process will break on purpose: %s\n", text)
	armed.Store(p)
	return nil
}

func (p *plan) here(name string) error {
	if !known(Points, name) {
		panic(fmt.Sprintf("BUG: the failpoint %q is not in the list of failpoints", name))
	}
	at := p.points[name]
	if at == nil {
		return nil
	}
	hit := at.hits.Add(1)
	for i := range at.rules {
		if r := &at.rules[i]; r.fires(name, hit) {
			p.record(Firing{Name: name, Hit: hit, Action: r.String(), Time: time.Now(), PID: os.Getpid()})
			if err := r.act(); err != nil {
				return fmt.Errorf("%w: failpoint %s at hit %d", err, name, hit)
			}
		}
	}
	return nil
}

// record tells of a firing before it acts.
func (p *plan) record(f Firing) {
	line := f.String()
	fmt.Fprintln(p.stderr, "FAILPOINT", line)
	if p.log == nil {
		return
	}
	_, err := p.log.WriteString(line + "\n") // one write, so that lines of several processes stay whole
	if err = errors.Join(err, p.log.Sync()); err != nil {
		fmt.Fprintln(p.stderr, "FAILPOINT cannot write the log of firings:", err)
	}
}

// fires says whether a rule acts at a hit. Drawn hits are a function of the
// seed, the name and the hit, so that goroutines cannot change them.
func (r *rule) fires(name string, hit uint64) bool {
	switch {
	case r.every > 0:
		h := fnv.New64a()
		fmt.Fprintf(h, "%d %s %d", r.seed, name, hit)
		return mix(h.Sum64())%r.every == 0
	case r.on:
		return hit >= r.hit
	default:
		return hit == r.hit
	}
}

// mix spreads a hash over all bits, which FNV alone does not.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r *rule) act() error {
	switch r.action {
	case kill:
		end()
	case stop:
		pause()
	case delay:
		time.Sleep(r.wait)
	case killAfter:
		time.AfterFunc(r.wait, end)
	case fail:
		return ErrInjected
	}
	return nil
}
