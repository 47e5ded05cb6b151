//go:build integration

package compose

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests' stack has a name and ports of its own, beside one that a person runs.
const (
	project   = "parallax-test"
	page      = "127.0.0.1:18080"
	kafkaPort = "19092"
)

// stack is docker-compose.yml as this test runs it.
type stack struct {
	t     *testing.T
	speed string
}

func (s *stack) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), args[0], args[1:]...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "COMPOSE_PROJECT_NAME="+project, "PARALLAX_PAGE_PORT="+strings.Split(page, ":")[1],
		"PARALLAX_KAFKA_PORT="+kafkaPort, "PARALLAX_SPEED="+s.speed)
	return cmd
}

// run runs a command, which must succeed, and returns its output.
func (s *stack) run(args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// compose runs a command of docker compose.
func (s *stack) compose(args ...string) string {
	s.t.Helper()
	return s.run(append([]string{"docker", "compose"}, args...)...)
}

// up starts what is missing and waits until all is healthy.
func (s *stack) up(args ...string) {
	s.t.Helper()
	s.compose(append([]string{"up", "--wait", "--wait-timeout", "180"}, args...)...)
}

// list asks Docker for names of this stack's things.
func (s *stack) list(args ...string) []string {
	s.t.Helper()
	return strings.Fields(s.run(append(append([]string{"docker"}, args...), "--filter", "label=com.docker.compose.project="+project)...))
}

// remove stops everything and leaves no container, no network and no volume, also
// none of those without a name that an image asks for.
func (s *stack) remove() {
	s.t.Helper()
	var volumes []string
	for _, id := range s.list("ps", "-aq") {
		volumes = append(volumes, strings.Fields(s.run("docker", "inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", id))...)
	}
	s.compose("down", "-v", "--remove-orphans")
	for _, of := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		if left := s.list(of...); len(left) > 0 {
			s.t.Errorf("docker compose down -v leaves %q of docker %s", left, of[0])
		}
	}
	for _, v := range strings.Fields(s.run("docker", "volume", "ls", "-q")) {
		if slices.Contains(volumes, v) {
			s.t.Errorf("docker compose down -v leaves the volume %s", v)
		}
	}
}

// live is what the page shows, as far as the tests look.
type live struct {
	Note   string
	Totals struct{ Generated, Counted uint64 }
	Batch  *struct{ Count uint64 }

	Outcome *struct {
		Explained   bool
		Unexplained uint64
		Sentence    string
	}
}

// get asks the page.
func get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+page+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

// look takes one state from the page's stream.
func look(ctx context.Context) (*live, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := get(ctx, "/events")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			l := new(live)
			return l, json.Unmarshal([]byte(data), l)
		}
	}
	return nil, fmt.Errorf("the page shows no state: %w", lines.Err())
}

// until looks at the page until it shows what is wanted. Whatever happens, it may
// never show a difference that is not explained.
func (s *stack) until(within time.Duration, what string, so func(*live) bool) *live {
	s.t.Helper()
	var last *live
	var failed error
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		l, err := look(s.t.Context())
		if err != nil {
			failed = err
			continue
		}
		if last = l; l.Outcome != nil && !l.Outcome.Explained {
			s.t.Fatalf("the page says: %s", l.Outcome.Sentence)
		}
		if so(l) {
			return l
		}
	}
	text, err := json.Marshal(last)
	s.t.Fatalf("within %s the page did not show %s; at last %s (%v)", within, what, text, errors.Join(failed, err))
	return nil
}

// report is report.json, as far as the tests look.
type report struct {
	Verdict struct {
		ExitCode int `json:"exit_code"`
		Outcome  string
		Headline string
	}
	Ledger struct {
		Generated, OK, Found uint64
		NotSent              uint64 `json:"not_sent"`
		BeyondCut            uint64 `json:"beyond_cut"`
	}
	Records struct {
		Valid, Duplicate uint64
		DeadLetter       uint64 `json:"dead_letter"`
	}
	Unexplained struct{ Total int }
}

// verdict is what "make verdict" does and says: exit code 0, nothing unexplained.
func (s *stack) verdict() {
	s.t.Helper()
	if said := s.run("make", "--no-print-directory", "verdict"); !strings.Contains(said, "0 unexplained") {
		s.t.Fatalf("make verdict does not say that 0 are unexplained:\n%s", said)
	}
}

// written is the report of the last verdict that the page serves.
func (s *stack) written() (*report, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	response, err := get(ctx, "/report.json")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("report.json: %s", response.Status)
	}
	r := new(report)
	return r, json.NewDecoder(response.Body).Decode(r)
}
