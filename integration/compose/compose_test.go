//go:build integration

package compose

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// flights are those of the built-in week.
const flights = 116_493

var (
	kills = flag.Duration("kills", time.Minute, "how long containers are killed")
	seed  = flag.Uint64("seed", 0, "which containers are killed, and when; 0 draws one and tells it")
)

func TestMain(m *testing.M) {
	flag.Parse()
	for _, needed := range [][]string{{"docker", "info"}, {"docker", "compose", "version"}} {
		if out, err := exec.Command(needed[0], needed[1:]...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "There is no Docker engine with Compose here, so nothing was tested: %s: %v\n%s", strings.Join(needed, " "), err, out)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// TestCompose starts everything from nothing, once, and goes on with it: each
// step needs those before.
func TestCompose(t *testing.T) {
	s := &stack{t: t, speed: "3000"} // the week in some three and a half minutes
	s.remove()                       // of a run that was interrupted
	t.Cleanup(func() {
		if t.Failed() {
			cmd := s.command("docker", "compose", "logs", "--no-color", "--timestamps", "--tail", "40")
			late := exec.Command(cmd.Path, cmd.Args[1:]...) // the test's own context has ended
			late.Dir, late.Env = cmd.Dir, cmd.Env
			out, err := late.CombinedOutput()
			t.Logf("the last lines of each (%v):\n%s", err, out)
		}
	})
	began := time.Now()
	step := func(name string, do func(s *stack)) {
		if !t.Failed() {
			t.Run(name, func(t *testing.T) { do(&stack{t: t, speed: s.speed}) })
			t.Logf("%6.1f s: %s", time.Since(began).Seconds(), name)
		}
	}
	step("build", func(s *stack) { s.compose("build") })
	step("up", func(s *stack) { s.up() })
	step("page", firstMinute)
	step("scale", scale)
	step("kill", kill)
	step("end", end)
	step("down", (*stack).remove)
}

// firstMinute is what a newcomer sees: flights that arrive, a verdict, and the
// same by make verdict.
func firstMinute(s *stack) {
	first := s.until(time.Minute, "flights", func(l *live) bool { return l.Totals.Generated > 0 })
	s.until(time.Minute, "more flights, some of them counted", func(l *live) bool {
		return l.Totals.Generated > first.Totals.Generated && l.Totals.Counted > 0
	})
	s.until(time.Minute, "a verdict", func(l *live) bool { return l.Outcome != nil && l.Batch != nil })
	s.verdict()
}

// scale lets three processors share the partitions, then one have them all.
func scale(s *stack) {
	s.up("--no-recreate", "--scale", "processor=3")
	three := s.list("ps", "-q", "--filter", "label=com.docker.compose.service=processor")
	if len(three) != 3 {
		s.t.Fatalf("%d processors run", len(three))
	}
	for _, id := range three {
		s.says(id, "partitions taken over")
	}
	s.verdict()
	s.up("--no-recreate", "--scale", "processor=1")
	if one := s.list("ps", "-q", "--filter", "label=com.docker.compose.service=processor"); len(one) != 1 {
		s.t.Fatalf("%d processors run", len(one))
	}
	s.moves()
	s.verdict()
}

// says waits until a container has logged a text.
func (s *stack) says(id, text string) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(s.run("docker", "logs", id), text); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("the container %s never said %q:\n%s", id, text, s.run("docker", "logs", "--tail", "20", id))
		}
	}
}

// moves waits until the stream has counted something more.
func (s *stack) moves() {
	s.t.Helper()
	now := s.until(time.Minute, "anything", func(*live) bool { return true })
	s.until(time.Minute, "that the stream goes on", func(l *live) bool {
		return l.Totals.Counted > now.Totals.Counted || l.Totals.Counted > 0 && l.Totals.Generated > flights
	})
}

// kill kills containers, the broker's too, as they are drawn, and starts each
// again a moment later.
func kill(s *stack) {
	draw := *seed
	if draw == 0 {
		draw = rand.Uint64()
	}
	s.t.Logf("again with: make integration ARGS=\"-seed %d\"", draw)
	r := rand.New(rand.NewPCG(draw, 0))
	s.up("--no-recreate", "--scale", "processor=2")
	services := []string{"kafka", "generator", "processor", "processor", "ingest", "batch", "reporter"}
	count := map[string]int{}
	pause := func(least, most time.Duration) { // the rhythm of the faults: nothing is waited for
		time.Sleep(least + time.Duration(r.Int64N(int64(most-least))))
	}
	for over := time.Now().Add(*kills); time.Now().Before(over); {
		service := services[r.IntN(len(services))]
		running := s.list("ps", "-q", "--filter", "status=running", "--filter", "label=com.docker.compose.service="+service)
		slices.Sort(running)
		if len(running) == 0 {
			continue // it is being restarted
		}
		victim := running[r.IntN(len(running))]
		if out, err := s.command("docker", "kill", victim).CombinedOutput(); err != nil {
			if strings.Contains(string(out), "is not running") {
				continue // it ended by itself meanwhile
			}
			s.t.Fatalf("cannot kill a %s: %v\n%s", service, err, out)
		}
		count[service]++
		pause(100*time.Millisecond, 2*time.Second)
		s.run("docker", "start", victim)
		pause(500*time.Millisecond, 5*time.Second)
	}
	s.t.Logf("killed: %v", count)
	if len(count) < 3 {
		s.t.Errorf("only %v were killed", count)
	}
	s.up("--no-recreate", "--scale", "processor=2")
	s.verdict()
}

// end waits for the whole week and judges it: nothing lost, nothing doubled,
// nothing unexplained.
func end(s *stack) {
	var r *report
	for end := time.Now().Add(8 * time.Minute); ; time.Sleep(time.Second) {
		if time.Now().After(end) {
			s.t.Fatalf("the whole week is never compared; at last %+v", r)
		}
		got, err := s.written()
		if err != nil {
			continue // the reporter may be starting
		}
		if r = got; r.Verdict.ExitCode != 0 {
			s.t.Fatalf("%+v", r)
		}
		if r.Ledger.Generated == flights && r.Ledger.BeyondCut+r.Ledger.NotSent == 0 {
			break
		}
	}
	if r.Ledger.OK+r.Ledger.Found != flights || r.Records.Valid != flights || r.Records.DeadLetter != 0 || r.Unexplained.Total != 0 {
		s.t.Errorf("%+v", r)
	}
	s.t.Logf("%d flights, and %d duplicates of those that were sent again: %s", r.Records.Valid, r.Records.Duplicate, r.Verdict.Headline)
	s.verdict()
}
