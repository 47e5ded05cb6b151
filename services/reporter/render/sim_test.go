package render_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parallax.example/internal/sim"
	"parallax.example/services/reporter/render"
	"parallax.example/services/reporter/report"
)

var (
	seedFlag = flag.Uint64("seed", 0, "make the run of this seed only, and print each decision")
	runsFlag = flag.Int("runs", 200, "how many runs with fresh seeds are made, beside the fixed ones")
)

// editions are reports which differ in every file, with the bytes of their files.
// The first is none: what is there before any report.
type editions struct {
	reports []*report.Report
	cells   [][]report.Cell
	files   []map[string][]byte // by edition and name; a file that is not there is nil
}

func newEditions(t *testing.T, n int) *editions {
	t.Helper()
	e := &editions{reports: []*report.Report{nil}, cells: [][]report.Cell{nil}, files: []map[string][]byte{{}}}
	for i := range n {
		r, c, dir := explained(), cells(), t.TempDir()
		r.Run.ID = fmt.Sprintf("edition-%d", i+1)
		c[0].Truth.Sum += int64(i)
		if err := render.All(dir, r, c); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for _, f := range render.Files {
			files[f.Name], _ = os.ReadFile(filepath.Join(dir, f.Name))
			for _, other := range e.files {
				if bytes.Equal(files[f.Name], other[f.Name]) {
					t.Fatalf("two editions have the same %s", f.Name)
				}
			}
		}
		e.reports, e.cells, e.files = append(e.reports, r), append(e.cells, c), append(e.files, files)
	}
	return e
}

// sink is one simulated folder of reports with who writes it: a process that
// writes edition after edition, and goes on with the next one when it was killed.
type sink struct {
	*editions
	world   *sim.World
	folder  string
	begun   int // the newest edition that was begun
	last    int // the one to stop at
	process *sim.Process
	starts  int
	end     chan struct{} // until then the dead stay where they died
}

var errInjected = errors.New("the disk is full")

func simulate(t *testing.T, e *editions, seed uint64, coverage *sim.Coverage, log io.Writer) (decisions int, err error) {
	t.Helper()
	folder, err := sim.Folder()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	synctest.Test(t, func(*testing.T) {
		w := sim.New(seed, coverage, log)
		s := &sink{editions: e, world: w, folder: folder, last: len(e.files) - 2, end: make(chan struct{})}
		w.Source(s.menu)
		err = s.play()
		decisions = w.Trace.Decisions
		close(s.end)
		w.End()
	})
	return decisions, err
}

// play writes the editions, come what may, and the last one without faults.
func (s *sink) play() error {
	w := s.world
	done := func() bool { return s.begun == s.last && s.process == nil }
	if err := w.Run("end of the editions", done, time.Hour, 10_000); err != nil {
		return err
	}
	w.Heal()
	s.last++
	if err := w.Run("end of the last one", done, time.Hour, 1_000); err != nil {
		return err
	}
	for name, want := range s.files[s.begun] {
		if text, err := os.ReadFile(filepath.Join(s.folder, name)); err != nil || !bytes.Equal(text, want) {
			return fmt.Errorf("%s is not that of the last report (error: %v)", name, err) //nolint:errorlint // it may be none
		}
	}
	return nil
}

func (s *sink) menu(m *sim.Menu) {
	w := s.world
	m.Add("reader", s.read)
	if s.process == nil && s.begun < s.last {
		m.Add("start", s.start)
	}
	if s.process != nil && w.Chance("killed") {
		m.Add("kill", func() { w.Reach("killed"); s.kill() })
	}
}

func (s *sink) start() {
	s.starts++
	var this *sim.Process
	this = s.world.Start(fmt.Sprintf("reporter.%d", s.starts), func(p *sim.Process) error {
		for {
			edition := 0
			err := p.Do(sim.Call{Name: "next", Local: true, Try: func() (bool, error) {
				if s.begun < s.last {
					s.begun++
					edition = s.begun
				}
				return true, nil
			}})
			if err != nil || edition == 0 {
				return err
			}
			if err := render.AllAt(s.folder, s.reports[edition], s.cells[edition], s.probe(p)); err != nil {
				return err
			}
		}
	}, func(err error) {
		switch {
		case s.process != this: // it was killed
			return
		case errors.Is(err, errInjected):
			s.world.Reach("ended with an error")
		case err != nil:
			s.world.Fail("the reporter ended: %v", err)
		}
		s.process = nil
	})
	s.process = this
}

func (s *sink) kill() {
	s.process.Kill()
	s.process = nil
}

// probe makes each step a place at which something may happen. Who dies there
// touches the folder no more.
func (s *sink) probe(p *sim.Process) func(string) error {
	w := s.world
	return func(step string) error {
		err := p.Do(sim.Call{Name: step, Local: true, Try: func() (bool, error) {
			w.Reach("at " + step)
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
			<-s.end
		}
		return err
	}
}

// read is a reader who comes along: each file is whole, of one edition, and no
// older than the files that appear after it. So what report.json tells of is there.
func (s *sink) read() {
	w := s.world
	w.Reach("read")
	newest := s.begun
	for _, f := range render.Files {
		text, err := os.ReadFile(filepath.Join(s.folder, f.Name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.Fail("a reader: %v", err)
		}
		edition := slices.IndexFunc(s.files, func(files map[string][]byte) bool { return bytes.Equal(files[f.Name], text) })
		if edition < 0 || edition > newest {
			w.Fail("a reader: %s is of report %d, and of the files before the oldest is of report %d", f.Name, edition, newest)
			return
		}
		newest = edition
	}
	switch {
	case newest == s.begun:
		w.Coverage.Hits["read: one report, the newest"]++
	case newest > 0:
		w.Coverage.Hits["read: a report, and a newer one under way"]++
	}
}

// TestRuns lets reporters die between the names that they give, with fixed seeds
// and with fresh ones. All runs together must have come through every place.
func TestRuns(t *testing.T) {
	e := newEditions(t, 3)
	if *seedFlag != 0 {
		if _, err := simulate(t, e, *seedFlag, sim.NewCoverage(), os.Stderr); err != nil {
			t.Errorf("seed %d: %v", *seedFlag, err)
		}
		return
	}
	const fixed = 200
	fresh := uint64(time.Now().UnixNano())
	coverage := sim.NewCoverage()
	began, decisions := time.Now(), 0
	for i := range uint64(fixed + *runsFlag) {
		seed := i + 1
		if i >= fixed {
			seed = fresh + i
		}
		n, err := simulate(t, e, seed, coverage, nil)
		decisions += n
		if err != nil {
			t.Fatalf("seed %d: %v\nto see the run: go test ./render -run TestRuns -seed %d", seed, err, seed)
		}
	}
	took, runs := time.Since(began), fixed+*runsFlag
	t.Logf("%d runs, fresh seeds from %d on, %d decisions, %.0f runs a minute", runs, fresh+fixed, decisions, float64(runs)/took.Minutes())
	for _, what := range slices.Sorted(maps.Keys(coverage.Hits)) {
		ways := ""
		if n := len(coverage.Paths[what]); n > 0 {
			ways = fmt.Sprintf(", by %d ways", n)
		}
		t.Logf("%8d × %s%s", coverage.Hits[what], what, ways)
	}
	for _, what := range []string{
		"at reporter/before-rename", "killed at reporter/before-rename", "error at reporter/before-rename",
		"at reporter/renamed", "killed at reporter/renamed", "error at reporter/renamed", "killed", "ended with an error",
		"read: one report, the newest", "read: a report, and a newer one under way",
	} {
		if coverage.Hits[what] == 0 {
			t.Errorf("no run came to: %s", what)
		}
	}
}
