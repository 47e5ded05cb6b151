package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Ctrl-C at any time ends within two seconds; a machine under load gets twice that.
const promptly = 4 * time.Second

func TestInterrupt(t *testing.T) {
	said := func(text string) func(*process, string) bool {
		return func(p *process, _ string) bool { return strings.Contains(p.stdout.String(), text) }
	}
	file := func(pattern string) func(*process, string) bool {
		return func(_ *process, runs string) bool { return exists(runs, pattern) }
	}
	for _, moment := range []struct {
		name, speed string
		now         func(p *process, runs string) bool
		batch       bool // the lake holds something then
	}{
		{"at the start", "max", said("Run "), false},
		{"once the broker is up", "max", said("Kafka (embedded)"), false},
		{"while streaming", "30000", func(_ *process, runs string) bool { return ledgerSize(runs) > 500_000 }, false},
		{"while draining", "max", file("*/logs/ingest-rest.log"), true},
		{"in the batch", "max", file("*/logs/batch.log"), true},
	} {
		for _, processes := range []string{"--processes=false", "--processes=true"} {
			t.Run(moment.name+" "+processes, func(t *testing.T) {
				runs := folder(t)
				p := start(t, "demo", "--exit", "--runs", runs, "--speed", moment.speed, "--limit", "40000", processes)
				p.until("the moment "+moment.name, func() bool { return moment.now(p, runs) })
				begun := time.Now()
				p.signal(syscall.SIGINT)
				if code := p.wait(); code != 130 {
					t.Errorf("it ended with %d, want 130", code)
				}
				took := time.Since(begun)
				t.Logf("it ended after %v", took)
				if took > promptly {
					t.Errorf("it ended after %v, want at most %v", took, promptly)
				}
				if complaint := p.complaint(); len(complaint) > 0 {
					t.Errorf("it said %q", complaint)
				}
				if left := commands(t, runs); len(left) > 0 {
					t.Errorf("processes are left: %v", left)
				}
				dir := only(t, runs, "*")
				if exists(dir, "ledger/generator.ledger") {
					readable(t, filepath.Join(dir, "ledger", "generator.ledger"))
				} else if moment.batch || moment.speed != "max" {
					t.Error("there is no ledger")
				}
				answers(t, dir, moment.batch)
			})
		}
	}
}

func ledgerSize(runs string) int64 {
	found, err := filepath.Glob(filepath.Join(runs, "*/ledger/generator.ledger"))
	if err != nil || len(found) != 1 {
		return 0
	}
	info, err := os.Stat(found[0])
	if err != nil {
		return 0
	}
	return info.Size()
}

// readable demands that the ledger's reader sums it up, and returns its line.
func readable(t *testing.T, ledger string) string {
	t.Helper()
	p := startCommand(t, exec.Command(generator, "ledger", ledger))
	if code := p.wait(); code != 0 || !strings.Contains(p.stdout.String(), " messages, ") {
		t.Errorf("the ledger cannot be read: exit code %d", code)
	}
	return p.stdout.String()
}

// answers demands that a batch over what was left answers, or refuses clearly.
func answers(t *testing.T, dir string, must bool) {
	t.Helper()
	p := start(t, "batch", "--lake", filepath.Join(dir, "lake"), "--out", filepath.Join(dir, "batch-again"), "--job", "again", "--views", filepath.Join(dir, "views.yaml"))
	if code := p.wait(); code == 2 && !must {
		p.refuses("lake")
	} else if code != 0 {
		t.Errorf("the batch over the lake that is left ended with %d", code)
	}
}
