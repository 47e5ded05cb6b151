package reporter_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parallax.example/services/reporter/web"
)

// until reads the page's states until one is as wanted.
func until(t *testing.T, address, what string, so func(*web.Live) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/events", nil)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	last := ""
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		last = data
		var l web.Live
		must(t, json.Unmarshal([]byte(data), &l))
		if so(&l) {
			return
		}
	}
	t.Fatalf("the page never showed %s; at last %s (%v)", what, last, lines.Err())
}

// A page that stays: the stream first, then a verdict on each job, a broken
// one told and a later one compared.
func TestWatch(t *testing.T) {
	l := newLab(t, 300)
	jobs := l.path("jobs")
	finish := func(name string, damage ...func(job string) error) {
		t.Helper()
		made := filepath.Join(l.path("made"), name)
		must(t, os.MkdirAll(jobs, 0o755), os.CopyFS(made, os.DirFS(l.path("batch"))))
		for _, d := range damage {
			must(t, d(made))
		}
		must(t, os.Rename(made, filepath.Join(jobs, name))) // it is there whole, at once
	}
	listener, err := web.ListenPublished(t.Context(), "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- l.reporter(summary(t)).Watch(ctx, listener, jobs) }()

	l.process(nil)
	until(t, address, "the stream alone", func(l *web.Live) bool {
		return l.Phase == web.Streaming && l.Stream != nil && l.Outcome == nil && l.Batch == nil
	})
	finish("first")
	until(t, address, "a verdict", func(l *web.Live) bool {
		if l.Outcome == nil || !strings.Contains(l.Note, "job first") {
			return false
		}
		with := 0
		for _, w := range l.Windows {
			if w.Batch != nil {
				with++
			}
		}
		return l.Outcome.Explained && l.Outcome.Report && l.Batch != nil && l.Batch.Count == 300 && l.Phase == web.Streaming && with > 0
	})
	if r := l.written(); r.Verdict.ExitCode != 0 {
		t.Errorf("%+v", r.Verdict)
	}

	finish("broken", func(job string) error { return os.Truncate(filepath.Join(job, "rows", "all.parquet"), 10) })
	until(t, address, "what is wrong with the broken job, and the verdict before", func(l *web.Live) bool {
		return strings.Contains(l.Note, "Job broken cannot be compared now") && l.Outcome != nil && l.Outcome.Explained
	})
	finish("third")
	until(t, address, "the verdict on the third job", func(l *web.Live) bool { return strings.Contains(l.Note, "job third") })

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
