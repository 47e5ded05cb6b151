package torture

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parallax builds the program under test.
func parallax(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "parallax")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "parallax.example/cmd/parallax")
	build.Dir = root
	build.Env = append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the program under test: %v\n%s", err, out)
	}
	return program
}

// A processor is killed, the generator too, and nothing is lost, doubled or wrong.
func TestKillRows(t *testing.T) {
	program, dir := parallax(t), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	file := filepath.Join(dir, "table.json")
	out, err := exec.CommandContext(ctx, program, "torture", "--fault", "kill,generator-kill", "--seeds", "1", "--events", "2000",
		"--runs", filepath.Join(dir, "runs"), "--json", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	table := tabled(t, file)
	if len(table) != 2 {
		t.Fatalf("the table has %d rows\n%s", len(table), out)
	}
	for _, row := range table {
		if row.Runs != 1 || row.Fired < 1 || row.Events < 2000 || row.Lost+row.Doubled+row.Cells != 0 {
			t.Errorf("%+v", row)
		}
	}
	if kill := table[0]; kill.Fault != "kill" || kill.Recovery == 0 {
		t.Errorf("no recovery was measured: %+v", kill)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "runs")); err != nil || len(left) != 0 {
		t.Errorf("a good torture leaves %d folders (%v)", len(left), err)
	}
}

// line is a row of a torture's table.
type line struct {
	Fault                              string
	Runs, Fired, Events, Lost, Doubled int
	Cells                              int   `json:"differing_cells"`
	Recovery                           int64 `json:"recovery_p50_ns"`
}

func tabled(t *testing.T, file string) []line {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ Table []line }
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	return table.Table
}

// The same death, seeds and load do harm when the processors promise less, and the
// table says how much: what at-least-once tells twice, and what at-most-once never.
func TestHarm(t *testing.T) {
	program := parallax(t)
	for guarantee, harm := range map[string]func(*line) int{
		"exactly-once":  func(l *line) int { return l.Lost + l.Doubled + l.Cells },
		"at-least-once": func(l *line) int { return l.Doubled },
		"at-most-once":  func(l *line) int { return l.Lost },
	} {
		t.Run(guarantee, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "table.json")
			cmd := exec.CommandContext(t.Context(), program, "torture", "--fault", "processor/offsets-sent", "--seed", "1", "--seeds", "2",
				"--guarantee", guarantee, "--runs", filepath.Join(dir, "runs"), "--json", file)
			out, err := cmd.CombinedOutput()
			kept := guarantee == "exactly-once"
			if code := cmd.ProcessState.ExitCode(); (code == 0) != kept || code > 1 {
				t.Fatalf("it ended with %d (%v)\n%s", code, err, out)
			}
			table := tabled(t, file)
			if len(table) != 1 || table[0].Fired != 2 {
				t.Fatalf("%+v\n%s", table, out)
			}
			if n := harm(&table[0]); (n == 0) != kept {
				t.Errorf("the table tells of %d: %+v", n, table[0])
			}
			if !kept && !strings.Contains(string(out), "The stream is damaged") {
				t.Errorf("the reporter does not say that the stream is damaged\n%s", out)
			}
		})
	}
}

// A torture of nothing is none that was survived.
func TestNothingToRun(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), parallax(t), "torture", "--fault", "storm", "--runs", t.TempDir())
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), `cannot run "storm"`) {
		t.Errorf("it ended with %d (%v)\n%s", code, err, out)
	}
}

// Ctrl-C ends it with everything that it started.
func TestInterrupted(t *testing.T) {
	program, dir := parallax(t), t.TempDir()
	cmd := exec.CommandContext(t.Context(), program, "torture", "--fault", "rolling,takeover", "--seeds", "2", "--runs", dir)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); len(commands(t, program, dir, " processor ")) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no processor is started")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("it ended with %d (%v)\n%s", code, err, said.String())
	}
	if left := commands(t, program); len(left) != 0 {
		t.Errorf("these are left: %q", left)
	}
}

// commands are the command lines of running processes that hold all these texts.
func commands(t *testing.T, texts ...string) (list []string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		line := strings.ReplaceAll(string(b), "\x00", " ")
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			list = append(list, line)
		}
	}
	return list
}
