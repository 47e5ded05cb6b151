package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/oracle"
	"parallax.example/internal/sim"
	"parallax.example/internal/sim/model"
	"parallax.example/internal/view"
	"parallax.example/services/processor/task"
)

const group = "processor"

// run is one simulated installation.
type run struct {
	seed       uint64
	world      *sim.World
	cluster    *model.Cluster
	topics     kafka.Topics
	views      *view.File
	partitions int
	input      [][][]byte // what is still to come, by partition
	log        []oracle.Record
	slots      []*slot
	pace       task.Pace
	static     bool
	over       bool // nothing is started any more
}

// slot is a place at which a process runs, again and again.
type slot struct {
	run     *run
	name    string
	process *sim.Process
	stop    context.CancelFunc
	stopped bool // it was asked to end
	extra   bool // another process was started in its place; it is not started again
	runs    int
	restart time.Time
	excused bool // it cannot know what it leaves open
}

// outcome is what a test wants to know of a run.
type outcome struct {
	decisions int
	hash      uint64
	err       error
}

// simulate makes a run and returns what it came to. log, if not nil, gets a line
// for each decision.
func simulate(t *testing.T, seed uint64, coverage *sim.Coverage, log io.Writer) (o outcome) {
	synctest.Test(t, func(*testing.T) {
		w := sim.New(seed, coverage, log)
		r := newRun(w, seed)
		o.err = r.play()
		o.decisions, o.hash = w.Trace.Decisions, w.Trace.Hash()
		w.End()
	})
	return o
}

func newRun(w *sim.World, seed uint64) *run {
	r := &run{seed: seed, world: w, topics: kafka.NewTopics("sim"), partitions: 1 + w.Rand.IntN(3), static: w.Rand.IntN(2) == 0}
	r.views = viewFiles[w.Rand.IntN(len(viewFiles))]
	r.pace = task.Pace{CommitInterval: 20 * time.Millisecond, CommitRecords: 1 + w.Rand.IntN(12), Prompt: w.Rand.IntN(2) == 0}
	r.cluster = model.New(w, r.partitions, r.topics.Specs(r.partitions, 1))
	r.compose()
	for i := range 1 + w.Rand.IntN(3) {
		r.slots = append(r.slots, &slot{run: r, name: fmt.Sprintf("p%d", i)})
	}
	w.Source(r.menu)
	return r
}

// play lets the run happen: some time with faults, then without.
func (r *run) play() error {
	w := r.world
	w.Note("seed %d: %d partitions, %d processes, static members: %v, %d records a commit", r.seed, r.partitions, len(r.slots), r.static, r.pace.CommitRecords)
	until := 200 + w.Rand.IntN(800)
	err := w.Run("end of the faults", func() bool { return r.left() == 0 && w.Trace.Decisions > until }, 10*time.Minute, 10_000)
	if err != nil {
		return err
	}
	w.Heal()
	if err := w.Run("end of the input", r.drained, 5*time.Minute, 50_000); err != nil {
		return err
	}
	r.over = true
	for _, s := range r.slots {
		if s.process != nil {
			s.end()
		}
	}
	if err := w.Run("end of the processes", func() bool { return r.running() == 0 }, time.Minute, 10_000); err != nil {
		return err
	}
	return errors.Join(r.check()...)
}

// left is how much input is still to come.
func (r *run) left() (n int) {
	for _, records := range r.input {
		n += len(records)
	}
	return n
}

// drained says that all input is committed.
func (r *run) drained() bool {
	for p := range int32(r.partitions) {
		if r.cluster.Committed(group, p).Offset != r.cluster.Log(r.topics.Events, p).End() {
			return false
		}
	}
	return r.cluster.Settled()
}

func (r *run) running() (n int) {
	for _, s := range r.slots {
		if s.process != nil {
			n++
		}
	}
	return n
}

// menu is what happens to the installation: input, and what people and machines do
// to processes.
func (r *run) menu(m *sim.Menu) {
	w := r.world
	if r.left() > 0 {
		m.Add("input", r.feed)
	}
	for _, s := range r.slots {
		switch {
		case s.process == nil && (r.over || s.extra):
		case s.process == nil && (!w.Chaos || !time.Now().Before(s.restart)):
			m.Add("start of "+s.name, s.start)
		case s.process == nil:
			m.At(s.restart)
		case w.Chaos:
			s.trouble(m)
		}
	}
}

// feed appends the next record of some partition.
func (r *run) feed() {
	p := r.world.Rand.IntN(r.partitions)
	for len(r.input[p]) == 0 {
		p = (p + 1) % r.partitions
	}
	value := r.input[p][0]
	r.input[p] = r.input[p][1:]
	offset := r.cluster.Append(r.topics.Events, int32(p), nil, value)
	r.log = append(r.log, oracle.Record{Partition: int32(p), Offset: offset, Value: value})
}

// trouble is what may happen to a running process. It is drawn at each decision,
// so it is drawn rarely.
func (s *slot) trouble(m *sim.Menu) {
	w, p := s.run.world, s.process
	if w.Rand.IntN(6) > 0 {
		return
	}
	if w.Chance("kill") {
		m.Add("kill of "+s.name, func() { w.Reach("process killed"); s.kill() })
	}
	if !p.Frozen() && w.Chance("freeze") {
		m.Add("freeze of "+s.name, func() { w.Reach("process frozen"); p.Freeze(w.Span()) })
	}
	if !p.Cut() && w.Chance("cut") {
		m.Add("cut of "+s.name, func() { w.Reach("process cut off"); p.CutOff(w.Span()) })
	}
	if !s.stopped && w.Chance("stop") {
		m.Add("stop of "+s.name, func() { w.Reach("process stopped"); s.end() })
	}
	if !s.extra && w.Chance("second process") {
		m.Add("second process of "+s.name, func() { w.Reach("process doubled"); s.double() })
	}
}

// double takes the running process for dead, and starts another one in its place.
func (s *slot) double() {
	s.extra = true
	other := &slot{run: s.run, name: s.name, runs: s.runs}
	s.run.slots = append(s.run.slots, other)
	other.start()
}

func (s *slot) kill() {
	s.process.Kill()
	s.stop()
	s.process = nil
	s.restart = time.Now().Add(s.run.world.Span())
}

func (s *slot) end() {
	s.stopped = true
	s.stop()
}

// start runs the loop as a process.
func (s *slot) start() {
	r := s.run
	s.runs++
	s.stopped, s.excused = false, false
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	var this *sim.Process
	this = r.world.Start(fmt.Sprintf("%s.%d", s.name, s.runs), func(p *sim.Process) error {
		c := task.Config{
			Kafka: reach{r.cluster.Client(p), p, s}, Topics: r.topics, Views: r.views, Log: slog.New(slog.DiscardHandler),
			Group: group, Pace: r.pace,
			TransactionTimeout: 2 * time.Second, SessionTimeout: 3 * time.Second, RestoreStall: 8 * time.Second,
			Counters: &task.Counters{}, Probe: s.probe(p),
		}
		if r.static {
			c.Slot = s.name
		}
		return task.New(c).Run(ctx)
	}, func(err error) {
		cancel()
		if s.process == this { // else it was killed
			s.ended(err)
		}
	})
	s.process = this
}

// ended takes in how a process came to its own end. An error may happen, and a
// person starts it again; that it must stop for good may not.
func (s *slot) ended(err error) {
	w := s.run.world
	var stop *task.Stop
	switch {
	case errors.As(err, &stop):
		w.Fail("%s stopped: %v", s.name, err)
	case err != nil && !w.Chaos:
		w.Reach("ended with an error after the faults")
	case err != nil:
		w.Reach("ended with an error")
	case !s.stopped:
		w.Fail("%s ended by itself, without an error", s.name)
	}
	s.process = nil
	s.restart = time.Now().Add(w.Span() / 4)
}

// probe makes each step of the loop a place at which something may happen.
func (s *slot) probe(p *sim.Process) func(task.Step, int32) error {
	w := s.run.world
	return func(step task.Step, partition int32) error {
		return p.Do(sim.Call{Name: fmt.Sprintf("%d/at %s", partition, step), Local: true, Try: func() (bool, error) {
			w.Reach("at " + string(step))
			switch {
			case w.Chance("killed at a step"):
				w.Coverage.Hits["killed at "+string(step)]++
				s.kill()
				return true, sim.ErrDead
			case w.Chance("error at a step"):
				w.Coverage.Hits["error at "+string(step)]++
				s.excused = s.excused || step == task.Revoking || step == task.OffsetsSent
				if step != task.Committed && w.Rand.IntN(2) == 0 {
					return true, &kafka.Failure{Outcome: kafka.Abort, Reason: "abort at " + string(step)}
				}
				return true, errors.New("nobody knows what happened at " + string(step))
			}
			return true, nil
		}})
	}
}

// reach is the model as the loop takes it.
type reach struct {
	*model.Client
	process *sim.Process
	slot    *slot
}

func (r reach) Admin() (task.Admin, error) { return &model.Admin{Client: r.Client}, nil }

func (r reach) Consumer(g kafka.GroupConfig) (task.Consumer, error) {
	revoked := g.OnRevoked
	g.OnRevoked = func(partitions []int32, lost bool) {
		r.Left()
		revoked(partitions, lost)
		if !lost {
			r.orderly()
		}
	}
	return member{r.Client.Consumer(g)}, nil
}

func (r reach) Producer(t kafka.TxnConfig) (task.Producer, error) { return r.Client.Producer(t), nil }

// orderly looks whether partitions that were given up can be taken over at once:
// what was open in them is on its way to its end. That the next owner would end it
// is the second guard, which this must not need.
func (r reach) orderly() {
	_ = r.process.Do(sim.Call{Name: "given up", Local: true, Try: func() (bool, error) {
		if left := r.Left(); len(left) > 0 && !r.slot.excused {
			r.slot.run.world.Fail("%s gave its partitions up and left transactions of %q open", r.process.Name, left)
		}
		r.slot.excused = false
		return true, nil
	}})
}

// Only exactly once is simulated: the others promise nothing that could be held
// against them. So neither of these is called.
func (r reach) Sender(kafka.SenderConfig) (task.Sender, error) { return nil, errWeaker }

type member struct{ *model.Consumer }

func (member) Commit([]kafka.Committed, time.Duration) error { return errWeaker }

var errWeaker = errors.New("weaker guarantees are not simulated")
