package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
)

// Deps are what a torture takes from outside.
type Deps struct {
	Out      io.Writer         // takes the table
	Progress func(line string) // shows how far it is
	Tell     func(line string) // tells of a failure at once
	Now      func() time.Time
}

// torture is a matrix under way.
type torture struct {
	config  *Config
	deps    Deps
	dir     string
	cluster *cluster
	admin   *kafka.Admin

	mu       sync.Mutex
	outcomes []Outcome
	of       int
}

// job is one run that is to be done.
type job struct {
	row  *row
	seed uint64
}

// Run runs the matrix and writes the table. The error has exit code 1 if a
// promise was not kept in any run.
func Run(ctx context.Context, c Config, d Deps) error {
	if c.List {
		return list(d.Out)
	}
	if c.Seed == 0 {
		c.Seed = 1 + rand.Uint64N(1_000_000)
	}
	dir, err := newFolder(c.Runs, "torture-"+d.Now().UTC().Format("20060102-150405"))
	if err != nil {
		return err
	}
	k, err := openCluster(ctx, &c, dir)
	if err != nil {
		return err
	}
	defer k.close()
	admin, err := kafka.NewAdmin(kafka.Config{Brokers: k.brokers, ClientID: "torture"})
	if err != nil {
		return err
	}
	defer admin.Close()
	t := &torture{config: &c, deps: d, dir: dir, cluster: k, admin: admin}
	began := d.Now()
	fmt.Fprintf(d.Out, "Torture against %s, seeds %d to %d.\n", k.what, c.Seed, c.Seed+uint64(c.Seeds)-1)
	if c.weaker() {
		fmt.Fprintf(d.Out, "The processors run with --guarantee %s: harm is expected.\n", c.Guarantee)
	}
	if err := t.runAll(ctx); err != nil {
		return err
	}
	took := d.Now().Sub(began)
	k.close() // its files lie in the folder that goes when all was good
	return t.conclude(took)
}

// newFolder makes a folder that nobody else has: two may begin in one second.
func newFolder(runs, name string) (string, error) {
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the folder for runs: %w", err)
	}
	dir := filepath.Join(runs, name)
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("cannot make the folder for runs: %w", err)
		}
		dir = filepath.Join(runs, fmt.Sprintf("%s-%d", name, n))
	}
}

// jobs are all runs, and the rows that cannot be run here.
func (t *torture) jobs() (together, alone []job, left []notRun) {
	for i := range matrix {
		r := &matrix[i]
		if len(t.config.Fault) == 0 && r.long || len(t.config.Fault) > 0 && !slices.Contains(t.config.Fault, r.name) && !slices.Contains(t.config.Fault, r.group) {
			continue
		}
		if why := t.unfit(r); why != "" { // it is told, not passed
			left = append(left, notRun{r.name, why})
			continue
		}
		for s := range uint64(t.config.Seeds) {
			j := job{r, t.config.Seed + s}
			if r.broker || r.long {
				alone = append(alone, j)
			} else {
				together = append(together, j)
			}
		}
	}
	// Seed by seed, so that an early end has seen every row.
	slices.SortStableFunc(together, func(a, b job) int { return int(a.seed) - int(b.seed) })
	return together, alone, left
}

// notRun is a row that cannot be run here.
type notRun struct{ name, why string }

// unfit says why a row cannot be run here.
func (t *torture) unfit(r *row) string {
	embedded := t.config.Brokers == "" && t.config.KafkaHome == ""
	switch {
	case t.config.weaker() && (r.whole != nil || r.long):
		return "it is about exactly once"
	case r.broker && t.cluster.restart == nil || r.joins && embedded:
		return "it needs Apache Kafka, by --kafka-home"
	}
	return ""
}

func (t *torture) runAll(ctx context.Context) error {
	together, alone, left := t.jobs()
	if t.of = len(together) + len(alone); t.of == 0 { // not a torture that was survived
		return fmt.Errorf("cannot run %q against %s: %s", left[0].name, t.cluster.what, left[0].why)
	}
	if err := t.work(ctx, together, t.config.Parallel); err != nil {
		return err
	}
	return t.work(ctx, alone, 1)
}

// work does jobs, some at a time, until all are done or ctx ends.
func (t *torture) work(ctx context.Context, jobs []job, parallel int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan job)
	errs := make([]error, parallel)
	var workers sync.WaitGroup
	for w := range parallel {
		workers.Go(func() {
			for j := range queue {
				if errs[w] = t.one(ctx, j); errs[w] != nil {
					cancel()
					return
				}
			}
		})
	}
	for _, j := range jobs {
		select {
		case queue <- j:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	workers.Wait()
	return errors.Join(errors.Join(errs...), ctx.Err())
}

// hangs is how much later than its context a run may end.
const hangs = 30 * time.Second

// one does one run; its error ends the whole torture.
func (t *torture) one(ctx context.Context, j job) error {
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(j.row.name, "/", "-"), j.seed)
	r := newRun(j.row, j.seed, t.cluster, t.admin, t.config, filepath.Join(t.dir, name))
	began := t.deps.Now()
	o, err := within(ctx, r.most(), hangs, func(ctx context.Context) Outcome {
		report, err := r.do(ctx)
		return outcome(r, report, err, t.deps.Now().Sub(began))
	})
	switch {
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), os.RemoveAll(r.dir))
	case err != nil: // what the run holds is still being used
		r.killStuck()
		err = errors.Join(err, stacks(filepath.Join(t.dir, name+".stacks")))
		o = Outcome{Fault: j.row.name, Seed: j.seed, Took: t.deps.Now().Sub(began), Violations: []string{"the run: " + err.Error()}}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes = append(t.outcomes, o)
	if len(o.Violations) > 0 {
		t.deps.Tell(o.failure(t.again(j), r.dir))
		return nil
	}
	t.deps.Progress(fmt.Sprintf("Torture: %d of %d runs, the last %s", len(t.outcomes), t.of, r))
	if err := t.forget(ctx, r); err != nil {
		return err
	}
	return os.RemoveAll(r.dir)
}

// within does work that should end by itself. After most its context ends; the
// error says that it still goes on when the time hangs has passed as well. Then it
// is left where it is.
func within(ctx context.Context, most, hangs time.Duration, work func(context.Context) Outcome) (Outcome, error) {
	soon, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("it did not end within %v", most))
	defer cancel()
	done := make(chan Outcome, 1)
	go func() { done <- work(soon) }()
	select {
	case o := <-done:
		return o, nil
	case <-soon.Done():
	}
	select { // everything that waits should have heard of it
	case o := <-done:
		return o, nil
	case <-time.After(hangs):
		return Outcome{}, fmt.Errorf("hangs: %w", context.Cause(soon))
	}
}

// stacks writes where every goroutine is.
func stacks(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("cannot keep the stacks: %w", err)
	}
	return errors.Join(pprof.Lookup("goroutine").WriteTo(f, 2), f.Close())
}

// forget deletes the topics of a good run, which would fill the broker's memory.
func (t *torture) forget(ctx context.Context, r *run) error {
	for _, s := range r.topics.Specs(partitions, 1) {
		if err := t.admin.DeleteTopic(ctx, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// again is the command that repeats a run.
func (t *torture) again(j job) string {
	command := fmt.Sprintf("parallax torture --fault %s --seed %d --seeds 1", j.row.name, j.seed)
	if t.config.Events != 0 {
		command += fmt.Sprintf(" --events %d", t.config.Events)
	}
	if t.config.weaker() {
		command += " --guarantee " + t.config.Guarantee
	}
	if k := t.config.kafka(); k != "" {
		command += " " + k
	}
	return command
}

// conclude writes the table and gives the verdict.
func (t *torture) conclude(took time.Duration) error {
	_, _, left := t.jobs()
	table := tabulate(t.outcomes)
	if err := writeTable(t.deps.Out, table, left, took); err != nil {
		return err
	}
	if t.config.JSON != "" {
		if err := writeJSON(t.config.JSON, t.cluster.what, t.config, table, t.outcomes, took); err != nil {
			return err
		}
	}
	var bad int
	for _, o := range t.outcomes {
		if len(o.Violations) > 0 {
			bad++
		}
	}
	if bad > 0 {
		return &broken{bad, len(t.outcomes), t.dir}
	}
	return os.RemoveAll(t.dir)
}

// broken says that promises were not kept.
type broken struct {
	bad, of int
	dir     string
}

func (b *broken) Error() string {
	return fmt.Sprintf("%d of %d runs broke a promise; their files are in %s", b.bad, b.of, b.dir)
}

// ExitCode is the exit code of a torture that found something.
func (b *broken) ExitCode() int { return config.ExitUnexplained }
