package batch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"parallax.example/internal/answer"
	"parallax.example/internal/config"
	"parallax.example/internal/lake"
	"parallax.example/internal/telemetry"
)

// WatchConfig of a batch that answers again and again.
type WatchConfig struct {
	Config  `embed:""`
	Every   time.Duration `default:"1m" help:"How often to look whether the lake has grown; a job is begun if it has."`
	Metrics string        `placeholder:"HOST:PORT" help:"Serve /metrics and /healthz here."`
}

// Validate reports what is wrong with the values beyond those of Config.
func (c *WatchConfig) Validate() []config.Fault {
	faults := c.Config.Validate()
	if c.Job != "" {
		faults = append(faults, config.Faultf("--job", "cannot be set: each job has a name of its own"))
	}
	if c.Cut != "" {
		faults = append(faults, config.Faultf("--cut", "cannot be set: each job reads to the lake's end"))
	}
	if c.Every < time.Millisecond {
		faults = append(faults, config.Faultf("--every", "must be at least 1ms"))
	}
	return faults
}

const (
	watched = "watch-" // how the names of a watch's jobs begin
	kept    = 3        // jobs of a watch that stay: one is being read, one is new
)

// Watch runs a job whenever the lake has grown, until ctx ends, which is no
// error. Of its jobs it keeps the newest few; others' jobs it leaves
// alone. One watch at a time may write to a folder.
func Watch(ctx context.Context, c WatchConfig, log *slog.Logger) error {
	if faults := c.Validate(); len(faults) > 0 {
		return config.Faults(faults)
	}
	w := &watch{WatchConfig: c, log: log}
	err := telemetry.Observed(ctx, c.Metrics, w.registry(), w.run)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

type watch struct {
	WatchConfig
	log *slog.Logger

	jobs, offsets, took atomic.Int64 // took in ns, of all jobs
}

func (w *watch) registry() *prometheus.Registry {
	r := telemetry.NewRegistry()
	promauto.With(r).NewCounterFunc(prometheus.CounterOpts{Name: "parallax_batch_jobs_total", Help: "Jobs finished."},
		func() float64 { return float64(w.jobs.Load()) })
	promauto.With(r).NewCounterFunc(prometheus.CounterOpts{Name: "parallax_batch_job_seconds_total", Help: "Time that the finished jobs took."},
		func() float64 { return time.Duration(w.took.Load()).Seconds() })
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{Name: "parallax_batch_answered_offsets", Help: "Offsets below the cut of the last job, over all partitions."},
		func() float64 { return float64(w.offsets.Load()) })
	return r
}

func (w *watch) run(ctx context.Context) error {
	if err := w.tidy(); err != nil {
		return err
	}
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		offsets, err := w.look()
		if err == nil && offsets > w.offsets.Load() {
			err = w.job(ctx)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tidy removes what a killed watch had under way, which nobody resumes: the lake
// has grown since.
func (w *watch) tidy() error {
	for _, place := range []string{filepath.Join(w.Out, "_temporary"), w.Out} {
		dead, err := filepath.Glob(filepath.Join(place, watched+"*"))
		if err != nil {
			return fmt.Errorf("cannot look for unfinished jobs: %w", err)
		}
		for _, folder := range dead {
			if _, err := os.Stat(filepath.Join(folder, answer.SuccessName)); !errors.Is(err, fs.ErrNotExist) {
				continue // it is finished
			}
			if err := os.RemoveAll(folder); err != nil {
				return fmt.Errorf("cannot remove an unfinished job: %w", err)
			}
		}
	}
	return nil
}

// look returns how many offsets the lake covers; 0 before there is a lake.
func (w *watch) look() (int64, error) {
	dir, err := lake.Open(w.Lake)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = dir.Close() }() // nothing was written
	topics := []string{w.Topic}
	if w.Topic == "" {
		if topics, err = dir.Topics(); err != nil {
			return 0, err
		}
	}
	sum := int64(0)
	for _, topic := range topics {
		chains, err := dir.Chains(topic)
		if err != nil {
			return 0, err
		}
		for _, chain := range chains {
			if end, any := chain.Next(); any {
				sum += end - chain.Manifests[0].Start
			}
		}
	}
	return sum, nil
}

func (w *watch) job(ctx context.Context) error {
	began := time.Now()
	c := w.Config
	c.Job = watched + newJob(began)
	b, err := New(c, Deps{})
	if err != nil {
		return err
	}
	s, err := b.Run(ctx)
	if err != nil {
		return err
	}
	offsets := int64(0)
	for _, p := range s.Partitions {
		offsets += p.Cut - p.Start
	}
	w.offsets.Store(offsets)
	w.jobs.Add(1)
	w.took.Add(int64(time.Since(began)))
	w.log.Info("answered", "job", s.Job, "cut", FormatCut(Cut(&s)), "took", time.Since(began).Round(time.Millisecond))
	return w.forget()
}

// forget removes all jobs but the newest few. Without _SUCCESS.json a job does
// not exist, so that goes first.
func (w *watch) forget() error {
	done, err := filepath.Glob(filepath.Join(w.Out, watched+"*", answer.SuccessName))
	if err != nil {
		return fmt.Errorf("cannot look for old jobs: %w", err)
	}
	type job struct {
		folder string
		at     time.Time
	}
	var jobs []job
	for _, name := range done {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("cannot look for old jobs: %w", err)
		}
		jobs = append(jobs, job{filepath.Dir(name), info.ModTime()})
	}
	slices.SortFunc(jobs, func(a, b job) int { return a.at.Compare(b.at) }) // names have whole seconds only
	for _, j := range jobs[:max(0, len(jobs)-kept)] {
		err := os.Remove(filepath.Join(j.folder, answer.SuccessName))
		if err == nil {
			err = os.RemoveAll(j.folder)
		}
		if err != nil {
			return fmt.Errorf("cannot remove an old job: %w", err)
		}
	}
	return nil
}
