//go:build unix

package failpoints

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
)

const (
	partitions = 2
	events     = 1500
	patience   = 60 * time.Second
)

// The program under test and the project's views, set by TestMain.
var parallax, viewsFile string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "cannot build the program under test:", err)
		return 1
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "parallax-bin-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	parallax, viewsFile = filepath.Join(dir, "parallax"), filepath.Join(root, "views.yaml")
	build := exec.Command("go", "build", "-tags", tags, "-o", parallax, "parallax.example/cmd/parallax")
	build.Dir = root
	build.Env = append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "CGO_ENABLED=1")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fail(err)
	}
	return m.Run()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lab is a broker with topics, and a folder.
type lab struct {
	t      *testing.T
	dir    string
	client kafka.Config
	topics kafka.Topics
	admin  *kafka.Admin
	views  *view.File
}

func newLab(t *testing.T) *lab {
	t.Helper()
	b, err := broker.Start(broker.Config{})
	must(t, err)
	t.Cleanup(b.Close)
	l := &lab{t: t, dir: t.TempDir(), client: kafka.Config{Brokers: b.Addr(), ClientID: "test"}, topics: kafka.NewTopics("parallax")}
	l.admin, err = kafka.NewAdmin(l.client)
	must(t, err)
	t.Cleanup(l.admin.Close)
	must(t, l.admin.EnsureTopics(t.Context(), l.topics.Specs(partitions, 1)))
	text, err := os.ReadFile(viewsFile)
	must(t, err)
	l.views, err = view.Parse(viewsFile, text)
	must(t, err)
	return l
}

func (l *lab) in(name string) string { return filepath.Join(l.dir, name) }

// program is a started program.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  bytes.Buffer
	log   string // of its firings
	done  chan struct{}
	armed string
}

// start starts parallax with failpoints, or none.
func (l *lab) start(armed string, args ...string) *program {
	l.t.Helper()
	p := &program{t: l.t, armed: armed, log: filepath.Join(l.t.TempDir(), "fired.log"), done: make(chan struct{})}
	p.cmd = exec.Command(parallax, args...)
	p.cmd.Dir = l.dir
	p.cmd.Env = append(os.Environ(), failpoint.Variable+"="+armed, failpoint.LogVariable+"="+p.log)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	must(l.t, p.cmd.Start())
	go func() { defer close(p.done); _ = p.cmd.Wait() }() // how it ended is in its state
	l.t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		if l.t.Failed() {
			l.t.Logf("%q with %q: %v\n%s", p.cmd.Args, armed, p.cmd.ProcessState, p.said.String())
		}
	})
	return p
}

// end waits for the end and returns how it came.
func (p *program) end() *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState
	case <-time.After(patience):
		p.t.Fatalf("%q does not end", p.cmd.Args)
		return nil
	}
}

// died demands that the program was killed by its failpoint.
func (p *program) died() {
	p.t.Helper()
	how := p.end().Sys().(syscall.WaitStatus)
	if !how.Signaled() || how.Signal() != syscall.SIGKILL {
		p.t.Fatalf("%s did not kill %q", p.armed, p.cmd.Args)
	}
	fired, err := failpoint.ReadLog(p.log)
	must(p.t, err)
	if len(fired) != 1 || !strings.HasPrefix(p.armed, fired[0].Name+"=kill") || fired[0].PID != p.cmd.Process.Pid {
		p.t.Fatalf("%s: fired %v", p.armed, fired)
	}
}

// run runs a program that nothing disturbs to its end.
func (l *lab) run(args ...string) *program {
	l.t.Helper()
	p := l.start("", args...)
	if s := p.end(); !s.Success() {
		l.t.Fatalf("%q ended with %v", args, s)
	}
	return p
}

func (l *lab) generator(ledger string) []string {
	return []string{"generator", "--brokers", l.client.Brokers, "--partitions", fmt.Sprint(partitions), "--speed", "max", "--limit", fmt.Sprint(events), "--ledger", l.in(ledger)}
}

// all are all partitions.
func all() (list []int32) {
	for p := range int32(partitions) {
		list = append(list, p)
	}
	return list
}

// read hands every committed record of a topic to fn.
func (l *lab) read(topic string, fn func(b *kafka.Batch, i int)) {
	l.t.Helper()
	ends, err := l.admin.Offsets(l.t.Context(), topic, all())
	must(l.t, err)
	var ranges []kafka.Range
	for _, e := range ends {
		ranges = append(ranges, kafka.Range{Topic: topic, Partition: e.Partition, From: e.Earliest, To: e.High})
	}
	must(l.t, kafka.ReadTo(l.t.Context(), l.client, kafka.ReaderConfig{Keys: true}, ranges, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			fn(b, i)
		}
		return nil
	}))
}

// tree is what lies in a folder, by path.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS(folder)
	must(t, walk(root, func(path string, content []byte) { files[path] = string(content) }))
	return files
}
