package batch

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"sync"
	"time"

	"parallax.example/internal/answer"
	"parallax.example/internal/config"
	"parallax.example/internal/lake"
	"parallax.example/internal/view"
	"parallax.example/services/batch/mapreduce"
)

// Deps are what a run takes from outside.
type Deps struct {
	Now func() time.Time // for the job's name; nil: the clock
	// Progress is told how far a stage has come; may be nil.
	Progress func(stage string, done, of int)
}

// Batch is one run.
type Batch struct {
	config   Config
	views    *view.File
	cut      map[int32]int64
	progress func(stage string, done, of int)
}

// New checks the configuration and reads the views.
func New(c Config, d Deps) (*Batch, error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, config.Faults(faults)
	}
	views, err := readViews(c.Views)
	if err != nil {
		return nil, err
	}
	cut, err := ParseCut(c.Cut)
	if err != nil {
		return nil, err
	}
	if c.Job == "" {
		now := time.Now
		if d.Now != nil {
			now = d.Now
		}
		c.Job = newJob(now())
	}
	if d.Progress == nil {
		d.Progress = func(string, int, int) {}
	}
	return &Batch{c, views, cut, d.Progress}, nil
}

// newJob is a name that no other job has.
func newJob(now time.Time) string { return now.UTC().Format("20060102T150405Z-") + rand.Text()[:6] }

// Job is the name of the job.
func (b *Batch) Job() string { return b.config.Job }

// Folder is where the job's answer will lie.
func (b *Batch) Folder() string { return filepath.Join(b.config.Out, b.config.Job) }

// Run does the job and returns what its _SUCCESS.json says.
func (b *Batch) Run(ctx context.Context) (answer.Success, error) {
	var none answer.Success
	dir, err := lake.Open(b.config.Lake)
	if err != nil {
		return none, err
	}
	defer func() { _ = dir.Close() }() // nothing was written
	pl, err := prepare(dir, b.config.Topic, b.views, b.cut)
	if err != nil {
		return none, err
	}
	manifests := 0
	for _, p := range pl.partitions {
		manifests += len(p.manifests)
	}
	if err := pl.verify(ctx, dir, b.config.workers(), b.steps("verify", manifests)); err != nil {
		return none, err
	}
	if err := pl.survey(ctx, dir, b.config.workers(), b.steps("survey", len(pl.partitions))); err != nil {
		return none, err
	}
	job, tasks := b.job(dir, pl)
	job.Maps = tasks
	var success answer.Success
	job.Success = func(done mapreduce.Done) ([]byte, error) {
		var err error
		if success, err = pl.success(b.config.Job, done); err != nil {
			return nil, err
		}
		return encodeSuccess(&success)
	}
	if _, err := job.Run(ctx); err != nil {
		return none, err
	}
	return success, nil
}

// shardRows is how many events one reduce task is for. Never the number of
// workers: how many files there are is part of the answer's bytes.
const shardRows = 4 << 20

func (b *Batch) job(dir *lake.Dir, pl *plan) (job *mapreduce.Job, tasks int) {
	type split struct{ partition, index int }
	var splits []split
	for i, p := range pl.partitions {
		for k := range p.splits {
			splits = append(splits, split{i, k})
		}
	}
	return &mapreduce.Job{
		ID: b.config.Job, Folder: b.config.Out, Input: pl.fingerprint(),
		Map: func(ctx context.Context, task int, out *mapreduce.Emitter) error {
			p := pl.partitions[splits[task].partition]
			// The files were verified: what cannot be read now will not be readable later.
			if err := mapSplit(ctx, dir, pl, p, p.splits[splits[task].index], out); err != nil {
				return mapreduce.Permanent(err)
			}
			return nil
		},
		Merge:    merge,
		Shard:    shard,
		Reduces:  int(min(1+pl.rows/shardRows, 64)),
		Reduce:   pl.reduce,
		Workers:  b.config.workers(),
		Progress: b.progress,
	}, len(splits)
}

// steps counts the steps of a stage that are done.
func (b *Batch) steps(stage string, of int) func() {
	var mu sync.Mutex
	done := 0
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done++
		b.progress(stage, done, of)
	}
}

// Cut is the cut of an answer, by partition.
func Cut(s *answer.Success) map[int32]int64 {
	cut := map[int32]int64{}
	for _, p := range s.Partitions {
		cut[p.Partition] = p.Cut
	}
	return cut
}
