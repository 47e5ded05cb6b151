package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/internal/sim"
	"parallax.example/internal/sim/model"
	"parallax.example/services/batch/ingest"
)

// run is one simulated lake with those who fill it.
type run struct {
	seed       uint64
	world      *sim.World
	cluster    *model.Cluster
	topic      string
	partitions int
	folder     string
	lake       *lake.Dir
	input      [][][]byte // what is still to come, by partition
	slots      []*slot
	ids        int
	seen       []*lake.Chain // by the last reader
	moved      bool          // a manifest was linked since
	over       bool          // nothing is started any more
	end        chan struct{} // until then the dead stay where they died
}

// slot is a place at which an ingester runs, again and again.
type slot struct {
	run      *run
	name     string
	config   ingest.Config
	process  *sim.Process
	ingester *ingest.Ingester
	stop     context.CancelFunc
	stopped  bool // it was asked to end
	runs     int
	restart  time.Time
}

// outcome is what a test wants to know of a run.
type outcome struct {
	decisions int
	hash      uint64
	err       error
}

var errInjected = errors.New("the disk is full")

// simulate makes a run and returns what it came to. log, if not nil, gets a line
// for each decision.
func simulate(t *testing.T, seed uint64, coverage *sim.Coverage, log io.Writer) (o outcome) {
	folder, err := sim.Folder()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(seed, coverage, log)
		r := newRun(w, seed, folder)
		if r.lake, o.err = lake.Create(folder); o.err != nil {
			return
		}
		defer r.lake.Close()
		o.err = r.play(t.Context())
		o.decisions, o.hash = w.Trace.Decisions, w.Trace.Hash()
		close(r.end)
		w.End()
	})
	return o
}

func newRun(w *sim.World, seed uint64, folder string) *run {
	topics := kafka.NewTopics("sim")
	r := &run{seed: seed, world: w, topic: topics.Events, partitions: 1 + w.Rand.IntN(3), folder: folder, end: make(chan struct{})}
	r.cluster = model.New(w, r.partitions, topics.Specs(r.partitions, 1))
	r.compose()
	static := w.Rand.IntN(2) == 0
	for i := range 1 + w.Rand.IntN(3) {
		s := &slot{run: r, name: fmt.Sprintf("i%d", i), config: ingest.Config{
			TopicPrefix: "sim", Lake: folder, Group: []string{"one", "other"}[w.Rand.IntN(2)],
			Rows: 2 + w.Rand.IntN(12), Bytes: 1 << 20, Span: time.Duration(50+w.Rand.IntN(2000)) * time.Millisecond, Session: 3 * time.Second,
		}}
		if static {
			s.config.Instance = s.name
		}
		r.slots = append(r.slots, s)
	}
	w.Source(r.menu)
	return r
}

// compose makes the input: some dozen records with dead letters, punctuation and
// events of several hours.
func (r *run) compose() {
	w := r.world.Rand
	total := 8 + w.IntN(32)
	r.input = make([][][]byte, r.partitions)
	for p := range r.partitions {
		for i := range 1 + total/r.partitions {
			e := event.Event{
				Producer: fmt.Appendf(nil, "p%d", p), Seq: uint64(i), HasID: w.IntN(5) > 0,
				Key: fmt.Appendf(nil, "k%d", w.IntN(3)), Subject: fmt.Appendf(nil, "s%d", i), Value: w.Int64N(1000) - 300,
				Time: 36_000_000_000 + w.Int64N(2)*3_600_000_000 + int64(i),
			}
			if !e.HasID {
				e.Producer, e.Seq = nil, 0
			}
			value := event.AppendProto(nil, &e)
			switch w.IntN(12) {
			case 0:
				value = []byte("garbage")
			case 1:
				value = event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: e.Time})
			}
			r.input[p] = append(r.input[p], value)
		}
	}
}

// play lets the run happen: some time with faults, then without.
func (r *run) play(ctx context.Context) error {
	w := r.world
	w.Note("seed %d: %d partitions, %d ingesters", r.seed, r.partitions, len(r.slots))
	until := 100 + w.Rand.IntN(400)
	err := w.Run("end of the faults", func() bool { return r.left() == 0 && w.Trace.Decisions > until }, 10*time.Minute, 5_000)
	if err != nil {
		return err
	}
	w.Heal()
	if err := w.Run("end of the input", r.drained, 5*time.Minute, 20_000); err != nil {
		return err
	}
	r.over = true
	for _, s := range r.slots {
		if s.process != nil {
			s.ask()
		}
	}
	if err := w.Run("end of the ingesters", func() bool { return r.running() == 0 }, time.Minute, 5_000); err != nil {
		return err
	}
	return r.check(ctx)
}

// left is how much input is still to come.
func (r *run) left() (n int) {
	for _, records := range r.input {
		n += len(records)
	}
	return n
}

// drained says that the lake holds all of the log.
func (r *run) drained() bool {
	if !r.moved {
		return false
	}
	r.moved = false
	r.read()
	for p, c := range r.seen {
		if next, _ := c.Next(); next < r.cluster.Log(r.topic, int32(p)).End() {
			return false
		}
	}
	return len(r.seen) == r.partitions
}

func (r *run) running() (n int) {
	for _, s := range r.slots {
		if s.process != nil {
			n++
		}
	}
	return n
}

// menu is what happens beside the ingesters: input, readers, and what people and
// machines do to processes.
func (r *run) menu(m *sim.Menu) {
	w := r.world
	if r.left() > 0 {
		m.Add("input", r.feed)
	}
	if w.Rand.IntN(60) == 0 {
		m.Add("reader", r.read)
	}
	for _, s := range r.slots {
		switch {
		case s.process == nil && r.over:
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
	r.cluster.Append(r.topic, int32(p), nil, r.input[p][0])
	r.input[p] = r.input[p][1:]
}

// trouble is what may happen to a running ingester. It is drawn at each decision,
// so it is drawn rarely.
func (s *slot) trouble(m *sim.Menu) {
	w, p := s.run.world, s.process
	if w.Rand.IntN(6) > 0 {
		return
	}
	if w.Chance("kill") {
		m.Add("kill of "+s.name, func() { w.Reach("ingester killed"); s.kill() })
	}
	if !p.Frozen() && w.Chance("freeze") {
		m.Add("freeze of "+s.name, func() { w.Reach("ingester frozen"); p.Freeze(w.Span()) })
	}
	if !p.Cut() && w.Chance("cut") {
		m.Add("cut of "+s.name, func() { w.Reach("ingester cut off"); p.CutOff(w.Span()) })
	}
	if !s.stopped && w.Chance("stop") {
		m.Add("stop of "+s.name, func() { w.Reach("ingester stopped"); s.ask() })
	}
}

func (s *slot) kill() {
	s.process.Kill()
	s.stop()
	s.gone()
}

// ask lets the ingester end in order.
func (s *slot) ask() {
	s.stopped = true
	s.stop()
}

func (s *slot) gone() {
	w := s.run.world
	w.Coverage.Hits["another ingester was first"] += int(s.ingester.Counters().Taken.Load())
	s.process = nil
	s.restart = time.Now().Add(w.Span() / 4)
}

// start runs an ingester as a process.
func (s *slot) start() {
	r := s.run
	s.runs++
	s.stopped = false
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	var this *sim.Process
	this = r.world.Start(fmt.Sprintf("%s.%d", s.name, s.runs), func(p *sim.Process) error {
		g, err := ingest.New(s.config, ingest.Deps{Kafka: reach{r.cluster.Client(p)}, NewID: r.id, Probe: s.probe(p)})
		if err != nil {
			return err
		}
		s.ingester = g
		return g.Run(ctx)
	}, func(err error) {
		cancel()
		if s.process == this { // else it was killed
			s.ended(err)
		}
	})
	s.process = this
}

// id is never the same twice.
func (r *run) id() string {
	r.ids++
	return fmt.Sprintf("%016x", r.ids)
}

// ended takes in how an ingester came to its own end. That Kafka or the disk does
// not answer may happen, and a person starts it again; that it finds lake and log
// in disagreement may not.
func (s *slot) ended(err error) {
	w := s.run.world
	var failure *kafka.Failure
	switch {
	case err == nil && !s.stopped:
		w.Fail("%s ended by itself, without an error", s.name)
	case err != nil && !errors.As(err, &failure) && !errors.Is(err, errInjected):
		w.Fail("%s stopped: %v", s.name, err)
	case err != nil:
		w.Reach("ended with an error")
	}
	s.gone()
}

// probe makes each step of a commit a place at which something may happen. Who
// dies there touches the lake no more.
func (s *slot) probe(p *sim.Process) func(string) error {
	r, w := s.run, s.run.world
	var mu sync.Mutex
	hits := map[string]int{} // files are synced side by side
	return func(step string) error {
		mu.Lock()
		hits[step]++
		name := fmt.Sprintf("%s %d", step, hits[step])
		mu.Unlock()
		err := p.Do(sim.Call{Name: name, Local: true, Try: func() (bool, error) {
			w.Reach("at " + step)
			r.moved = r.moved || step == "ingest/linked"
			switch {
			case w.Chance("killed at a step"):
				w.Coverage.Hits["killed at "+step]++
				s.kill()
				return true, sim.ErrDead
			case w.Chance("error at a step"):
				w.Coverage.Hits["error at "+step]++
				return true, errInjected
			}
			return true, nil
		}})
		if errors.Is(err, sim.ErrDead) {
			<-r.end
		}
		return err
	}
}

// reach is the model as an ingester takes it.
type reach struct{ *model.Client }

func (r reach) Admin() (ingest.Admin, error) { return &model.Admin{Client: r.Client}, nil }

func (r reach) Consumer(g kafka.GroupConfig) (ingest.Consumer, error) {
	g.MaxPollInterval, g.MaxRecords = 10*time.Second, 12
	return r.Client.Consumer(g), nil
}
