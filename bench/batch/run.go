package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// sample is one run of an engine.
type sample struct {
	Engine  string  `json:"engine,omitempty"`
	Version string  `json:"version,omitempty"`
	CPU     float64 `json:"cpu_s"`
	Wall    float64 `json:"wall_s"`
	Peak    int64   `json:"peak_bytes"`
	Rows    int     `json:"rows"` // of the answer
	Digest  string  `json:"digest"`
}

// packages are what Python needs, at the versions that were measured.
var packages = []string{"duckdb==2.0.1", "polars==2.1.0", "datafusion==55.0.0", "pyarrow==26.0.1", "numpy==2.4.6"}

func (l *lab) interpreter() string { return filepath.Join(l.cache, "venv", "bin", "python") }

// python makes the environment of the other engines, the first time.
func (l *lab) python(ctx context.Context, engines []string) error {
	if !slices.ContainsFunc(engines, func(e string) bool { return e != parallax }) {
		return nil
	}
	check := exec.CommandContext(ctx, l.interpreter(), "-c", "import duckdb, polars, datafusion, pyarrow, numpy")
	if check.Run() == nil {
		return nil
	}
	l.progress("installing %s by pip", strings.Join(packages, ", "))
	for _, command := range [][]string{
		{"python3", "-m", "venv", filepath.Join(l.cache, "venv")},
		append([]string{l.interpreter(), "-m", "pip", "install", "--quiet"}, packages...),
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot run %q: %w\n%s\nPython 3.10 or newer with venv is needed; or measure with --engines parallax", command, err, out)
		}
	}
	return nil
}

const parallax = "parallax"

// one runs an engine once, in a process of its own.
func (l *lab) one(ctx context.Context, engine string, files []string) (sample, error) {
	s := sample{Engine: engine}
	var command []string
	if engine == parallax {
		self, err := os.Executable()
		if err != nil {
			return s, fmt.Errorf("cannot start Parallax: %w", err)
		}
		command = append([]string{self, "measure", fmt.Sprint(l.threads)}, files...)
	} else {
		command = append([]string{l.interpreter(), filepath.Join(l.dir, "engine.py"), engine, fmt.Sprint(l.threads)}, files...)
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = &stderr
	if engine == parallax {
		cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", l.threads))
	}
	out, err := cmd.Output()
	if err != nil {
		return s, fmt.Errorf("cannot run %s: %w\n%s", engine, err, stderr.String())
	}
	if err := json.Unmarshal(out, &s); err != nil {
		return s, fmt.Errorf("cannot read what %s says: %w: %q", engine, err, out)
	}
	return s, nil
}

// measure runs every engine on a set in turns, after a round that warms the page
// cache and is not counted.
func (l *lab) measure(ctx context.Context, s *set, engines []string, runs int) (*result, error) {
	files, err := l.files(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &result{Set: *s, Threads: l.threads}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		r.Bytes += info.Size()
	}
	for run := range runs + 1 {
		for _, engine := range engines {
			x, err := l.one(ctx, engine, files)
			if err != nil {
				return nil, err
			}
			if run == 0 {
				continue
			}
			l.progress("%s, run %d of %d: %-10s %6.2f s CPU %6.2f s wall %5d MiB", s.Name, run, runs, engine, x.CPU, x.Wall, x.Peak>>20)
			r.Samples = append(r.Samples, x)
		}
	}
	return r, r.check()
}

// check is that all answers are the same.
func (r *result) check() error {
	first := r.Samples[0]
	var wrong []error
	for _, x := range r.Samples[1:] {
		if x.Digest != first.Digest || x.Rows != first.Rows {
			wrong = append(wrong, fmt.Errorf("%s and %s give different answers to %s: %d rows with digest %.12s and %d with %.12s",
				first.Engine, x.Engine, r.Set.Name, first.Rows, first.Digest, x.Rows, x.Digest))
		}
	}
	return errors.Join(wrong...)
}
