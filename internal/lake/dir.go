package lake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"parallax.example/internal/failpoint"
)

// Dir is a lake's folder. It may be used by many goroutines and processes.
type Dir struct {
	root *os.Root
	// Probe is called at each step of a draft, for tests; nil is the failpoints.
	// Its error counts as the error of that step.
	Probe func(name string) error
}

// Open opens an existing lake for reading and writing.
func Open(folder string) (*Dir, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot open lake %q: %w", folder, err)
	}
	return &Dir{root: root}, nil
}

// Create opens a lake and makes its folder if there is none.
func Create(folder string) (*Dir, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create lake %q: %w", folder, err)
	}
	return Open(folder)
}

// Close frees the handle.
func (d *Dir) Close() error { return d.root.Close() }

// here is the failpoint of a step.
func (d *Dir) here(name string) error {
	if d.Probe != nil {
		return d.Probe(name)
	}
	return failpoint.Here(name)
}

// Folder is the path that the lake was opened by.
func (d *Dir) Folder() string { return d.root.Name() }

// OpenFile opens a data file for reading.
func (d *Dir) OpenFile(f *File) (*os.File, error) {
	file, err := d.root.Open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("cannot open lake file: %w", err)
	}
	return file, nil
}

// sync makes the entries of a folder, and of those above it, durable. done
// remembers the folders that need it no more.
func (d *Dir) sync(folder string, done map[string]bool) error {
	for ; !done[folder]; folder = path.Dir(folder) {
		f, err := d.root.Open(folder)
		if err != nil {
			return fmt.Errorf("cannot sync lake folder: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("cannot sync lake folder: %w", err)
		}
		done[folder] = true
	}
	return nil
}

// entries lists a folder's names; none if there is no such folder.
func (d *Dir) entries(folder string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(d.root.FS(), folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list lake folder: %w", err)
	}
	return list, nil
}
