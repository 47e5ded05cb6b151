package render

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"parallax.example/internal/failpoint"
	"parallax.example/services/reporter/report"
)

// File is one file that All writes.
type File struct {
	Name string // within the folder
	Type string // its media type
}

// Files are all of them, in the order in which they appear.
var Files = []File{
	{"cells.csv", "text/csv; charset=utf-8"},
	{"cells.parquet", "application/vnd.apache.parquet"},
	{"report.md", "text/markdown; charset=utf-8"},
	{"report.html", "text/html; charset=utf-8"},
	{"report.json", "application/json"},
}

// All writes every file into dir, which is made if missing. Each file appears
// whole, and none appears before all are written; report.json is the last. On
// an error the files of an earlier report are still there, untouched or newer.
func All(dir string, r *report.Report, cells []report.Cell) error {
	return all(dir, r, cells, failpoint.Here)
}

// all is All; here is called at each step.
func all(dir string, r *report.Report, cells []report.Cell, here func(step string) error) error {
	writers := map[string]func(io.Writer) error{
		"cells.csv":     func(w io.Writer) error { return CSV(w, cells) },
		"cells.parquet": func(w io.Writer) error { return Parquet(w, r, cells) },
		"report.md":     func(w io.Writer) error { return Markdown(w, r) },
		"report.html":   func(w io.Writer) error { return HTML(w, r) },
		"report.json":   func(w io.Writer) error { return JSON(w, r) },
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return advise(dir, err)
	}
	temporary := make([]string, 0, len(Files))
	defer func() {
		for _, name := range temporary {
			_ = os.Remove(name) // those that became files are gone already
		}
	}()
	for _, f := range Files {
		name, err := write(dir, f.Name, writers[f.Name])
		if name != "" {
			temporary = append(temporary, name)
		}
		if err != nil {
			return advise(filepath.Join(dir, f.Name), err)
		}
	}
	if err := here("reporter/before-rename"); err != nil {
		return advise(dir, err)
	}
	for i := range Files {
		if failpoint.Mutant("reporter/json-first") {
			i = len(Files) - 1 - i
		}
		f := Files[i]
		err := os.Rename(temporary[i], filepath.Join(dir, f.Name))
		if err == nil {
			err = here("reporter/renamed")
		}
		if err != nil {
			return advise(filepath.Join(dir, f.Name), err)
		}
	}
	return nil
}

// write puts a file's content on the disk under a temporary name in dir.
func write(dir, name string, content func(io.Writer) error) (temporary string, err error) {
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffer := bufio.NewWriterSize(f, 1<<16)
	if err := content(buffer); err != nil {
		return f.Name(), err
	}
	if err := buffer.Flush(); err != nil {
		return f.Name(), err
	}
	if err := f.Chmod(0o644); err != nil { // CreateTemp's is for its owner alone
		return f.Name(), err
	}
	return f.Name(), f.Sync()
}

// advise says what can be done about a folder that takes no file.
func advise(path string, err error) error {
	// The cause without the temporary name, which tells a person nothing.
	cause := err
	var at *os.PathError
	if errors.As(err, &at) {
		cause = at.Err
	}
	advice := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		advice = "; free some space there or choose another folder"
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		advice = "; choose a folder that can be written to"
	}
	return fmt.Errorf("cannot write %q: %w%s", path, cause, advice)
}
