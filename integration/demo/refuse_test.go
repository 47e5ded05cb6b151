package demo

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// complaint is what an ended program said on stderr, without its progress. A
// program that cannot go on speaks to a person, never in traces of its code.
func (p *process) complaint() []string {
	p.t.Helper()
	var said []string
	for line := range strings.Lines(p.stderr.String()) {
		if strings.HasPrefix(line, "Streaming: ") || strings.HasPrefix(line, "Batch: ") {
			continue
		}
		said = append(said, strings.TrimSuffix(line, "\n"))
		for _, trace := range []string{"panic", "goroutine ", ".go:", "BUG", "nil pointer"} {
			if strings.Contains(line, trace) {
				p.t.Errorf("%q speaks of its code: %s", p.cmd.Args, line)
			}
		}
	}
	return said
}

// refuses demands that the program ends soon with exit code 2 and one line, which
// holds all of want.
func (p *process) refuses(want ...string) {
	p.t.Helper()
	begun := time.Now()
	if code := p.wait(); code != 2 {
		p.t.Errorf("%q ended with %d, want 2", p.cmd.Args, code)
	}
	if took := time.Since(begun); took > 20*time.Second {
		p.t.Errorf("%q ended only after %v", p.cmd.Args, took)
	}
	said := p.complaint()
	if len(said) != 1 || !strings.HasPrefix(said[0], filepath.Base(p.cmd.Path)+": ") {
		p.t.Errorf("%q said %q, want one line", p.cmd.Args, said)
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(said, "\n"), w) {
			p.t.Errorf("%q said %q, want %q in it", p.cmd.Args, said, w)
		}
	}
}

func TestFaultyViews(t *testing.T) {
	const views = "integration/demo/testdata/wrong-views.yaml"
	faults := []string{ // every one, at its place
		":2:13: believed: count 9 of 8", `:4:11: name "Hourly"`, ":5:24: tumbling: \"0s\"", ":7:34: every: 4h0m0s",
		`:8:15: lateness: "soon"`, `:9:25: aggregate "median"`, `:10:5: the name "b"`, `:12:5: "colour" is not known`,
	}
	dir := folder(t)
	for _, args := range [][]string{
		{"demo", "--exit", "--runs", dir},
		{"processor", "--brokers", "127.0.0.1:1"},
		{"batch", "--lake", dir, "--out", filepath.Join(dir, "batch")},
		{"reporter", "--lake", dir, "--batch", dir, "--out", dir, "--brokers", "127.0.0.1:1"},
	} {
		p := run(t, 2, append(args, "--views", views)...)
		said := strings.Join(p.complaint(), "\n")
		for _, f := range faults {
			if strings.Count(said, views+f) != 1 {
				t.Errorf("%s: %q is not said once in\n%s", args[0], views+f, said)
			}
		}
	}
	if exists(dir, "2*") {
		t.Error("a run was begun with faulty views")
	}
}

func TestFaultyFlags(t *testing.T) {
	p := run(t, 2, "demo", "--partitions", "0", "--processors", "many", "--kill", "broker", "--commit-interval", "0s", "--form=xml", "--limit=-1", "--nonsense")
	said := strings.Join(p.complaint(), "\n")
	for _, want := range []string{"7 faults", "--partitions: 0", "--processors: ", "\"many\"", "--kill: ", "--commit-interval: ", "--form: ", "--limit: -1", "--nonsense: unknown flag"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said in\n%s", want, said)
		}
	}
	start(t, "demo", "--exit", "--views", "no-such.yaml").refuses("no-such.yaml", "--views")
}

func TestRunsFolderCannotBeMade(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, "demo", "--exit", "--runs", file).refuses("cannot make the folder for runs", file)
	start(t, "demo", "--exit", "--runs", filepath.Join(file, "runs")).refuses("cannot make the folder for runs", file)
}

// A folder that may be read only. Root may write everywhere, so for root another
// user runs the demonstration.
func TestRunsFolderReadOnly(t *testing.T) {
	dir := folder(t)
	views := filepath.Join(dir, "views.yaml")
	if err := os.WriteFile(views, []byte(read(t, filepath.Join(root, "views.yaml"))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) }) // so that it can be removed
	cmd := exec.Command(parallax, "demo", "--exit", "--views", views, "--runs", dir)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	startCommand(t, cmd).refuses("cannot make the run's folder", "permission denied")
}

// A disk that becomes full: at once, while the events are sent, in the batch.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	mount := func(t *testing.T, size string) string {
		t.Helper()
		dir := folder(t)
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
			t.Skipf("cannot mount a small disk: %v\n%s", err, out)
		}
		t.Cleanup(func() {
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Errorf("cannot unmount: %v\n%s", err, out)
			}
		})
		return dir
	}
	for _, c := range []struct{ name, size, file string }{
		{"at once", "64k", "ledger"},
		{"while sending", "1m", "ledger"},
		{"in the batch", "18m", "batch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs := mount(t, c.size)
			start(t, "demo", "--exit", "--speed", "max", "--runs", runs).refuses("no space left on device", c.file)
		})
	}
	t.Run("of processes", func(t *testing.T) {
		runs := mount(t, "1m")
		p := run(t, 2, "demo", "--exit", "--speed", "max", "--processes", "--runs", runs)
		// Each of them may meet it, and says so for itself.
		said := p.complaint()
		if len(said) == 0 || len(said) > 5 {
			t.Errorf("it said %q", said)
		}
		for _, line := range said {
			if !strings.HasPrefix(line, "parallax: ") || !strings.Contains(line, "no space left on device") {
				t.Errorf("it said %q", line)
			}
		}
		if left := commands(t, runs); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
	})
}

func TestBusyPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	dir := folder(t)
	start(t, "broker", "--addr", address).refuses(address)
	for _, flag := range []string{"--addr", "--page"} {
		start(t, "demo", "--exit", "--runs", dir, flag, address).refuses(address)
		start(t, "demo", "--exit", "--runs", dir, flag, address, "--processes").refuses(address)
	}
	if left := commands(t, dir); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestUnreachableBroker(t *testing.T) {
	runs := folder(t)
	run(t, 0, "demo", "--exit", "--speed", "max", "--limit", "2000", "--runs", runs)
	dir := only(t, runs, "*")
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	var all []*process
	for _, args := range [][]string{
		{"topics"},
		{"processor"},
		{"ingest", "--lake", in("lake-2")},
		{"ingest", "--lake", in("lake-2"), "--to-end"},
		{"generator", "--ledger", in("ledger", "second.ledger")},
		{"reporter", "--lake", in("lake"), "--ledger", strings.ReplaceAll(in("ledger", "generator.ledger"), ",", `\,`), "--batch", in("batch", filepath.Base(dir)), "--out", in("second")},
	} {
		all = append(all, start(t, append(args, "--brokers", "127.0.0.1:1")...)) // they only wait
	}
	for _, p := range all {
		p.refuses("127.0.0.1:1", "is the broker running?")
	}
}

func TestMissingInput(t *testing.T) {
	dir := folder(t)
	missing := filepath.Join(dir, "missing")
	start(t, "batch", "--lake", missing, "--out", dir).refuses("cannot open lake", missing)
	start(t, "batch", "--lake", dir, "--out", dir).refuses("lake", dir)
	start(t, "reporter", "--lake", dir, "--ledger", strings.ReplaceAll(missing, ",", `\,`), "--batch", missing, "--out", dir, "--brokers", "127.0.0.1:1").refuses("batch", missing)
	start(t, "demo", "--exit", "--runs", dir, "--dataset", missing).refuses("generator", missing)
	start(t, "demo", "--exit", "--runs", dir, "--log", filepath.Join(root, "views.yaml")).refuses("generator", "views.yaml")
}
