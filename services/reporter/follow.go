package reporter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"parallax.example/services/reporter/web"
)

// look is how often Follow looks for the batch's answer.
const look = 200 * time.Millisecond

// Follow collects what the stream commits from now on, shows it on a page at l,
// and compares as soon as the batch's answer is there. It returns what Run
// returns; with keep it serves the page and the report until ctx ends first.
func (r *Reporter) Follow(ctx context.Context, l net.Listener, keep bool) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &following{reporter: r, began: r.deps.Now(), phase: web.Starting}
	served := make(chan error, 1)
	handler := web.New(f.live, web.Options{Reports: r.config.Out})
	go func() { served <- web.Serve(inner, l, handler, r.deps.Log) }()
	end := func() error { cancel(); return <-served }

	if err := r.Start(inner); err != nil {
		return errors.Join(err, end())
	}
	if err := f.awaitBatch(inner, served); err != nil {
		return errors.Join(err, r.Stop(), end())
	}
	f.enter(web.Verdict)
	verdict := f.run(inner)
	if keep && ctx.Err() == nil {
		fmt.Fprintf(r.deps.Summary, "The page stays at http://%s until Ctrl-C.\n", l.Addr())
		<-ctx.Done()
	}
	if err := end(); err != nil {
		return errors.Join(verdict, err)
	}
	return verdict
}

// following is what the page knows beyond the stream's answer.
type following struct {
	reporter *Reporter
	began    time.Time

	mu    sync.Mutex
	phase web.Phase
	final *web.Live // once the run has ended
}

func (f *following) enter(p web.Phase) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.phase = p
}

// awaitBatch waits until the batch's answer is whole.
func (f *following) awaitBatch(ctx context.Context, served <-chan error) error {
	folder := f.reporter.config.Batch
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(folder, "_SUCCESS.json")); err == nil {
			return nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot look for the batch's answer: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-served:
			return errors.Join(err, errors.New("cannot go on: the live page ended"))
		case <-tick.C:
		}
	}
}

// run compares, and leaves the outcome for the page.
func (f *following) run(ctx context.Context) error {
	last := f.live()
	rep, verdict := f.reporter.finish(ctx)
	switch {
	case rep == nil || len(rep.Views) == 0:
		last.Phase, last.Outcome = web.Failed, &web.Outcome{Report: rep != nil}
		if verdict != nil {
			last.Note = verdict.Error()
		}
	default:
		last.Phase = web.Done
		Conclude(&last, rep)
	}
	last.Elapsed = f.elapsed()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.final = &last
	return verdict
}

// live is the page's view of the run; after the end it does not change.
func (f *following) live() web.Live {
	f.mu.Lock()
	phase, final := f.phase, f.final
	f.mu.Unlock()
	if final != nil {
		return *final
	}
	l := f.reporter.Live()
	if phase == web.Starting && l.Totals.Generated > 0 {
		phase = web.Streaming
	}
	l.Run, l.Phase, l.Elapsed = f.reporter.config.RunID, phase, f.elapsed()
	return l
}

func (f *following) elapsed() int64 { return f.reporter.deps.Now().Sub(f.began).Milliseconds() }
