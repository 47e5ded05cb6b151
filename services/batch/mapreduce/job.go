// Package mapreduce runs one job on one machine: map, combine, partitioned and
// sorted shuffle files, merge, reduce, commit. It knows bytes and nothing of
// what they mean.
//
// What it may be trusted for:
//   - The output is a function of what Map emits: same emissions, same bytes,
//     whatever the number of workers, the order of tasks, retries and restarts.
//     For that Merge must be associative and commutative, exactly.
//   - The job appears whole or not at all: a reader believes only the files that
//     <folder>/<job>/_SUCCESS.json lists, and that file is linked last.
//   - Of two attempts at one task exactly one is used, the first that commits; a
//     job that died goes on with the tasks that it had committed, after holding
//     their files against their checksums.
//
// Emissions of one map task are held and sorted in memory; a task is as large
// as its caller makes its split.
package mapreduce

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Job is what is to be done.
type Job struct {
	ID     string // the caller's; the job's folder is Folder/ID
	Folder string // of all jobs; the work under way lies in Folder/_temporary/ID
	Input  []byte // names input and question: a job is only resumed with the same

	Maps    int // map tasks, 0 to Maps-1
	Map     func(ctx context.Context, task int, out *Emitter) error
	Merge   func(into, value []byte) []byte // folds value into into, which it may change and return
	Shard   func(key []byte) uint64         // the reduce task of a key, modulo Reduces
	Reduces int
	Reduce  func(task int, out *Output) (Reducer, error)

	Workers  int
	Attempts int                              // at each task before the job fails; 0 is 3
	Success  func(Done) ([]byte, error)       // the content of _SUCCESS.json
	Progress func(stage string, done, of int) // may be nil; called by one goroutine at a time

	// shuffled starts the tasks in random order, for tests.
	shuffled *rand.Rand
}

// Reducer takes the merged records of its shard by ascending key, each key once.
type Reducer interface {
	Put(key, value []byte) error
	// Close ends the files and says how many rows each holds, by name.
	Close() (rows map[string]int64, err error)
}

// Done is what a job made.
type Done struct {
	Files    []File // by path
	Counters map[string]int64
}

// File is one committed file.
type File struct {
	Path   string `json:"path"` // within the job's folder, with '/'
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
}

// SuccessName is the file that makes a job exist.
const SuccessName = "_SUCCESS.json"

// ErrExists says that a job of this ID is complete already.
var ErrExists = errors.New("the job exists")

// Permanent marks an error that another attempt would meet again.
func Permanent(err error) error { return permanent{err} }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Run does the job and returns what it made. After an error nothing of the job
// is visible; what it had done stays in the temporary folder for a next Run.
func (j *Job) Run(ctx context.Context) (Done, error) {
	if !idForm.MatchString(j.ID) {
		return Done{}, fmt.Errorf("cannot run job %q: an id is 1 to 128 of letters, digits, '.', '_' and '-'", j.ID)
	}
	if _, err := os.Stat(filepath.Join(j.Folder, j.ID, SuccessName)); err == nil {
		return Done{}, fmt.Errorf("cannot run job %q: %w in %q; give another id", j.ID, ErrExists, j.Folder)
	}
	w := workspace(filepath.Join(j.Folder, "_temporary", j.ID))
	if err := w.begin(j.Input); err != nil {
		return Done{}, err
	}
	maps, err := j.tasks(ctx, w, "map", j.Maps, j.runMap)
	if err != nil {
		return Done{}, err
	}
	reduces, err := j.tasks(ctx, w, "reduce", j.Reduces, func(ctx context.Context, a *attempt) error {
		return j.runReduce(ctx, w, a, maps)
	})
	if err != nil {
		return Done{}, err
	}
	done := Done{Counters: map[string]int64{}}
	for _, m := range slices.Concat(maps, reduces) {
		for name, n := range m.Counters {
			done.Counters[name] += n
		}
	}
	if err := j.commit(w, reduces, &done); err != nil {
		return Done{}, err
	}
	return done, nil
}

// tasks runs the tasks of a stage, those that are committed already excepted,
// and returns the manifest of each.
func (j *Job) tasks(ctx context.Context, w workspace, stage string, n int, run func(context.Context, *attempt) error) ([]*manifest, error) {
	manifests := make([]*manifest, n)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if j.shuffled != nil {
		j.shuffled.Shuffle(n, func(a, b int) { order[a], order[b] = order[b], order[a] })
	}
	finished := make(chan struct{}, n)
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		done := 0
		for range finished {
			if done++; j.Progress != nil {
				j.Progress(stage, done, n)
			}
		}
	}()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, j.Workers))
	for _, i := range order {
		g.Go(func() (err error) {
			manifests[i], err = j.task(ctx, w, taskName(stage, i), i, run)
			finished <- struct{}{}
			return err
		})
	}
	err := g.Wait()
	close(finished)
	<-reported
	return manifests, err
}

func taskName(stage string, i int) string { return fmt.Sprintf("%s-%05d", stage, i) }

// task attempts one task until an attempt is committed, ours or another's.
func (j *Job) task(ctx context.Context, w workspace, name string, i int, run func(context.Context, *attempt) error) (*manifest, error) {
	attempts := j.Attempts
	if attempts == 0 {
		attempts = 3
	}
	var failed error
	for range attempts {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(failed, err)
		}
		if m, err := w.committed(name); m != nil || err != nil {
			return m, err
		}
		a, err := w.attempt(name, i)
		if err != nil {
			return nil, err
		}
		err = run(ctx, a)
		if err == nil {
			err = a.commit()
		}
		if err == nil {
			continue // to read what was committed, perhaps by another
		}
		a.discard()
		if _, final := errors.AsType[permanent](err); final || ctx.Err() != nil {
			return nil, err
		}
		failed = err
	}
	if m, err := w.committed(name); m != nil || err != nil {
		return m, err
	}
	return nil, fmt.Errorf("cannot run task %s: %d attempts failed, the last: %w", name, attempts, failed)
}
