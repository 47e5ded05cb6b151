package reporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"parallax.example/internal/answer"
	"parallax.example/services/reporter/render"
	"parallax.example/services/reporter/report"
	"parallax.example/services/reporter/web"
)

// again is how long a job that could not be compared waits for the next try.
const again = 5 * time.Second

// Watch shows on a page at l what the stream commits, from now on, and compares
// each job that the batch finishes in the folder jobs, until ctx ends, which is
// no error. Of several the newest is taken, and Config.Batch is not. The page
// shows the last verdict beside the stream's answer, which goes on, and Config.Out
// holds its report. A comparison that cannot be made is told, and tried again.
func (r *Reporter) Watch(ctx context.Context, l net.Listener, jobs string) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watching{reporter: r, began: r.deps.Now(), note: "Waiting for the batch's first answer."}
	served := make(chan error, 1)
	handler := web.New(w.live, web.Options{Reports: r.config.Out})
	go func() { served <- web.Serve(inner, l, handler, r.deps.Log) }()
	err := r.Start(inner)
	if err == nil {
		err = errors.Join(w.watch(inner, jobs, served), r.Stop())
	}
	cancel()
	err = errors.Join(err, <-served)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// watching is what the page knows beyond the stream's answer.
type watching struct {
	reporter *Reporter
	began    time.Time

	mu   sync.Mutex
	note string
	last *report.Report // with a verdict
}

// watch compares each new job. It ends when the page or the collecting does.
func (w *watching) watch(ctx context.Context, jobs string, served chan error) error {
	compared := ""
	var next time.Time // of a job that could not be compared
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if err := w.reporter.collector.Load().Err(); err != nil {
			return err
		}
		job, err := newest(jobs)
		if err != nil {
			return err
		}
		if now := w.reporter.deps.Now(); job != compared && now.After(next) {
			if err := w.compare(ctx, job); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				w.say(nil, fmt.Sprintf("Job %s cannot be compared now: %v", filepath.Base(job), err))
				w.reporter.deps.Log.Warn("cannot compare", "job", filepath.Base(job), "error", err)
				next = now.Add(again)
			} else {
				compared = job
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-served:
			served <- nil
			return errors.Join(err, errors.New("cannot go on: the live page ended"))
		case <-tick.C:
		}
	}
}

// newest is the folder of the job that was finished last; "" if there is none.
func newest(jobs string) (string, error) {
	done, err := filepath.Glob(filepath.Join(jobs, "*", answer.SuccessName))
	if err != nil {
		return "", fmt.Errorf("cannot look for the batch's jobs: %w", err)
	}
	var job string
	var at time.Time
	for _, name := range done {
		info, err := os.Stat(name)
		if err != nil {
			continue // an old job that was removed meanwhile
		}
		if info.ModTime().After(at) {
			job, at = filepath.Dir(name), info.ModTime()
		}
	}
	return job, nil
}

// compare gives the verdict on one job, with a collector of its own.
func (w *watching) compare(ctx context.Context, job string) error {
	one := &Reporter{config: w.reporter.config, deps: w.reporter.deps, views: w.reporter.views, topics: w.reporter.topics}
	one.config.Batch = job
	one.config.RunID = cmp.Or(one.config.RunID, filepath.Base(job))
	one.deps.Summary = io.Discard
	began := one.deps.Now()
	rep, cells, err := one.Compare(ctx)
	if err == nil && rep.Verdict.Outcome == report.NotCompared {
		w.say(nil, fmt.Sprintf("Job %s: %s.", filepath.Base(job), rep.Verdict.Headline)) // no window is closed yet
		return nil
	}
	if err == nil {
		err = render.All(one.config.Out, rep, cells)
	}
	if err != nil {
		return err
	}
	now := one.deps.Now()
	w.say(rep, fmt.Sprintf("Last compared at %s UTC: job %s.", now.UTC().Format(time.TimeOnly), filepath.Base(job)))
	one.deps.Log.Info("verdict", "job", filepath.Base(job), "outcome", rep.Verdict.Outcome, "unexplained", rep.Faults.Total,
		"sentence", rep.Verdict.Headline, "took", now.Sub(began).Round(time.Millisecond))
	return nil
}

// say changes the note, and the last report if there is one.
func (w *watching) say(rep *report.Report, note string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note, w.last = note, cmp.Or(rep, w.last)
}

// live is the page's view of the run: the stream's answer of now, and what the
// last verdict said of the batch.
func (w *watching) live() web.Live {
	w.mu.Lock()
	note, last := w.note, w.last
	w.mu.Unlock()
	l := w.reporter.Live()
	l.Run, l.Note, l.Phase = w.reporter.config.RunID, note, web.Starting
	l.Elapsed = w.reporter.deps.Now().Sub(w.began).Milliseconds()
	if l.Totals.Generated > 0 {
		l.Phase = web.Streaming
	}
	if last != nil {
		beside(&l, last)
	}
	return l
}

// beside puts a verdict, and the batch's answer that it is about, beside a
// stream's answer that has gone on since.
func beside(l *web.Live, rep *report.Report) {
	var of web.Live
	Conclude(&of, rep)
	l.Outcome, l.Batch = of.Outcome, of.Batch
	means := map[int64]*float64{}
	for _, w := range of.Windows {
		means[w.Start] = w.Batch
	}
	for i := range l.Windows {
		l.Windows[i].Batch = means[l.Windows[i].Start]
	}
}
