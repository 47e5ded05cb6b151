package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"parallax.example/bench/dataset"
	"parallax.example/internal/config"
)

type program struct {
	Run     runCommand     `cmd:"" default:"withargs" help:"Measure, and write results."`
	Measure measureCommand `cmd:"" hidden:"" help:"One run of Parallax; started by run."`
}

var options = config.Options{
	Name:        "bench-batch",
	Description: "Measure the batch's query beside DuckDB, Polars and DataFusion on the same Parquet files.",
	Examples: `
bench-batch                               # all sets, five times in turns, results into bench/batch/results
bench-batch --sets 3m-snappy --runs 1     # does it work?
bench-batch --engines parallax,duckdb     # two of them`,
}

type runCommand struct {
	Sets    []string `default:"" help:"Sets to measure. Empty: all."`
	Engines []string `default:"parallax,duckdb,polars,datafusion" help:"Engines to measure; the ratios are to the first."`
	Runs    int      `default:"5" help:"Runs of each engine on each set; medians are shown."`
	Threads int      `default:"2" help:"Threads of each engine."`
	Dir     string   `default:"bench/batch" help:"Folder of this benchmark. Its .cache holds about 4 GiB of sets and the Python environment."`
	Out     string   `default:"bench/batch/results" help:"Folder of the results."`
}

// lab is where the sets are.
type lab struct {
	dir, cache string
	threads    int
	say        io.Writer

	once   sync.Once
	events *events
	err    error
}

func (l *lab) progress(format string, args ...any) { fmt.Fprintf(l.say, format+"\n", args...) }

// flights reads them once, when a set is missing.
func (l *lab) flights(ctx context.Context) (*events, error) {
	l.once.Do(func() {
		var name string
		if name, l.err = dataset.Fetch(ctx, l.cache, l.progress); l.err == nil {
			l.events, l.err = readFlights(name)
		}
	})
	return l.events, l.err
}

// Run is called by config.Main.
func (c *runCommand) Run(ctx context.Context) error {
	chosen := sets
	if len(c.Sets) > 0 {
		chosen = nil
		for _, s := range sets {
			if slices.Contains(c.Sets, s.Name) {
				chosen = append(chosen, s)
			}
		}
		if len(chosen) != len(c.Sets) {
			return fmt.Errorf("cannot measure %s: the sets are %s", strings.Join(c.Sets, ", "), setNames())
		}
	}
	if c.Runs < 1 || c.Threads < 1 {
		return errors.New("cannot measure: --runs and --threads must be at least 1")
	}
	l := &lab{dir: c.Dir, cache: filepath.Join(c.Dir, ".cache"), threads: c.Threads, say: os.Stderr}
	if err := errors.Join(os.MkdirAll(l.cache, 0o755), os.MkdirAll(c.Out, 0o755)); err != nil {
		return fmt.Errorf("cannot begin: %w", err)
	}
	if err := l.python(ctx, c.Engines); err != nil {
		return err
	}
	m, err := describe(ctx)
	if err != nil {
		return err
	}
	for i := range chosen {
		s := &chosen[i]
		r, err := l.measure(ctx, s, c.Engines, c.Runs)
		if err != nil {
			return err
		}
		r.Machine = m
		if err := errors.Join(r.write(c.Out), page(c.Out)); err != nil {
			return err
		}
		fmt.Fprint(os.Stdout, r.table())
	}
	return nil
}

func setNames() string {
	var names []string
	for _, s := range sets {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func main() { os.Exit(config.Main(&program{}, options)) }
