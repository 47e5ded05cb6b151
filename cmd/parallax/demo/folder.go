package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// folder is everything that one run leaves behind.
type folder struct{ path string }

// newFolder makes runs/<id>. The id is the time; a second run in the same
// second gets a number after it.
func newFolder(runs string, now time.Time) (folder, error) {
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return folder{}, fmt.Errorf("cannot make the folder for runs: %w", err)
	}
	id := now.UTC().Format("20060102-150405")
	for n := 1; ; n++ {
		name := id
		if n > 1 {
			name = fmt.Sprintf("%s-%d", id, n)
		}
		f := folder{filepath.Join(runs, name)}
		err := os.Mkdir(f.path, 0o755)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return folder{}, fmt.Errorf("cannot make the run's folder: %w", err)
		}
		for _, d := range []string{"ledger", "lake", "batch", "log", "logs"} {
			if err := os.Mkdir(f.in(d), 0o755); err != nil {
				return folder{}, fmt.Errorf("cannot make the run's folder: %w", err)
			}
		}
		return f, nil
	}
}

func (f folder) id() string { return filepath.Base(f.path) }
func (f folder) in(names ...string) string {
	return filepath.Join(append([]string{f.path}, names...)...)
}
func (f folder) ledger() string { return f.in("ledger", "generator.ledger") }
func (f folder) lake() string   { return f.in("lake") }

// answer is the batch's: its job is named like the run.
func (f folder) answer() string             { return f.in("batch", f.id()) }
func (f folder) views() string              { return f.in("views.yaml") }
func (f folder) recording() string          { return f.in("log", "events.parquet") }
func (f folder) brokerAddr() string         { return f.in("broker.addr") }
func (f folder) pageAddr() string           { return f.in("page.addr") }
func (f folder) logFile(role string) string { return f.in("logs", role+".log") }
