package demo

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parallax.example/services/reporter/report"
)

// python is a Python with kafka-python. Only a continuous build must have one.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PARALLAX_PYTHON")
	cause := "PARALLAX_PYTHON does not name a Python with kafka-python"
	if name != "" {
		out, err := exec.Command(name, "-c", "import kafka").CombinedOutput()
		if err == nil {
			return name
		}
		cause = fmt.Sprintf("%s cannot import kafka: %v\n%s", name, err, out)
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(cause)
	}
	t.Skip(cause)
	return ""
}

// A client of another language, which knows nothing of partitions by key and
// has no producer id, sends into a running demonstration.
func TestForeignClient(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	const each = 100
	runs := folder(t)
	p := start(t, "demo", "--exit", "--runs", runs, "--speed", "10000", "--limit", "40000")
	p.until("a broker's address", func() bool { return exists(runs, "*/broker.addr") && exists(runs, "*/page.addr") })
	broker := strings.TrimSpace(read(t, only(t, runs, "*/broker.addr")))
	page := strings.TrimSpace(read(t, only(t, runs, "*/page.addr")))

	client := exec.Command(interpreter, filepath.Join(root, "integration/demo/testdata/send.py"), broker, "parallax.events")
	stdin, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	send := startCommand(t, client)
	p.until("the client's connection", func() bool { return strings.Contains(send.stdout.String(), "ready") || send.ended() })

	// The data must have gone on for a day, so that its first hour is long closed.
	now := watermark(t, page, time.Date(2001, 6, 12, 0, 0, 0, 0, time.UTC))
	early := time.Date(2001, 6, 11, 5, 0, 0, 0, time.UTC)
	w := bufio.NewWriter(stdin)
	for i := range each {
		// Some hours ahead: the data goes on while they are on their way.
		line(w, map[string]any{"key": "ONTIME", "subject": "foreign", "event_time": now.Add(6*time.Hour + time.Duration(i)*time.Second).Format(time.RFC3339), "value": 10})
		line(w, map[string]any{"key": "TOOLATE", "subject": "foreign", "event_time": early.Add(time.Duration(i) * time.Second).UnixMicro(), "value": 1000})
	}
	fmt.Fprintln(w, "raw this is no event")
	line(w, map[string]any{"key": "NOVALUE", "event_time": now.Format(time.RFC3339)})
	line(w, map[string]any{"key": "TOOOLD", "event_time": "1969-12-31T23:59:59Z", "value": 1})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if code := send.wait(); code != 0 || !strings.Contains(send.stdout.String(), strconv.Itoa(2*each+3)) {
		t.Fatalf("the client ended with %d", code)
	}
	if exists(runs, "*/logs/batch.log") {
		t.Fatal("the data had ended before the foreign events came")
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("the demonstration ended with %d, want 0", code)
	}

	dir := only(t, runs, "*")
	r := explained(t, dir)
	if r.Records.Valid != 40_000+2*each || r.Records.DeadLetter != 3 || r.Ledger.Generated != 40_000 {
		t.Errorf("records %+v, ledger %+v: want 40,000 of the generator, %d foreign, 3 dead letters", r.Records, r.Ledger, 2*each)
	}
	i := slices.IndexFunc(r.Causes, func(c report.Cause) bool { return c.Cause == report.CauseForeign })
	if i < 0 || r.Causes[i].Events != 2*each {
		t.Errorf("causes %+v: want %d foreign events", r.Causes, 2*each)
	}

	onTime, tooLate := counts(t, dir, "ONTIME"), counts(t, dir, "TOOLATE")
	if onTime["b"] != each || onTime["stream"] < each/2 || onTime["truth"] != 0 {
		t.Errorf("those at the time of the data: %v: want %d in B, most of them in the stream, none in the ledger's truth", onTime, each)
	}
	if tooLate["b"] != each || tooLate["stream"] != 0 || tooLate["a"] != 0 {
		t.Errorf("those after their hour: %v: want %d in B only", tooLate, each)
	}
	reasons := deadLetters(t, dir)
	slices.Sort(reasons)
	if want := []string{"missing", "out-of-range", "unknown-form"}; !slices.Equal(reasons, want) {
		t.Errorf("dead letters for %q, want %q", reasons, want)
	}
}

func line(w *bufio.Writer, event map[string]any) {
	b, err := json.Marshal(event)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	fmt.Fprintf(w, "%s\n", b)
}

// watermark follows the live page until every partition's time has passed t0
// and returns the farthest one.
func watermark(t *testing.T, page string, t0 time.Time) time.Time {
	t.Helper()
	client := http.Client{Timeout: patience}
	answer, err := client.Get("http://" + page + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewReader(answer.Body); ; {
		text, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the live page ended before the data was at %v: %v", t0, err)
		}
		data, ok := strings.CutPrefix(text, "data: ")
		if !ok {
			continue
		}
		var live struct {
			Partitions []struct {
				Watermark *int64 `json:"watermark"`
			} `json:"partitions"`
		}
		if err := json.Unmarshal([]byte(data), &live); err != nil {
			t.Fatal(err)
		}
		passed, farthest := 0, t0
		for _, p := range live.Partitions {
			if p.Watermark == nil {
				continue
			}
			at := time.UnixMicro(*p.Watermark).UTC()
			if at.After(t0) {
				passed++
			}
			if at.After(farthest) {
				farthest = at
			}
		}
		if passed == 4 {
			return farthest
		}
	}
}

// counts sums one key's hourly counts of each side over all cells.
func counts(t *testing.T, dir, key string) map[string]int {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(read(t, filepath.Join(dir, "cells.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	total := map[string]int{}
	for _, row := range rows[1:] {
		if row[slices.Index(rows[0], "view")] != "hourly" || row[slices.Index(rows[0], "key")] != key {
			continue
		}
		for _, side := range []string{"truth", "stream", "a", "b"} {
			if text := row[slices.Index(rows[0], side+"_count")]; text != "" {
				n, err := strconv.Atoi(text)
				if err != nil {
					t.Fatal(err)
				}
				total[side] += n
			}
		}
	}
	return total
}

// deadLetters are the reasons that the lake's manifests give.
func deadLetters(t *testing.T, dir string) []string {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(dir, "lake/manifests/parallax.events/*/*.json"))
	if err != nil || len(manifests) < 4 {
		t.Fatalf("%d manifests, %v", len(manifests), err)
	}
	var reasons []string
	for _, name := range manifests {
		var m struct {
			DeadLetters []struct {
				Reason string `json:"reason"`
			} `json:"dead_letters"`
		}
		if err := json.Unmarshal([]byte(read(t, name)), &m); err != nil {
			t.Fatal(err)
		}
		for _, d := range m.DeadLetters {
			reasons = append(reasons, d.Reason)
		}
	}
	return reasons
}
