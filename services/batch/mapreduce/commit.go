package mapreduce

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"parallax.example/internal/failpoint"
)

// commit gives the reduce tasks' files their place and then, with one link,
// existence. A file's final name holds its checksum: should two coordinators run
// one job, they can only link the same bytes under a name, and one _SUCCESS.json.
func (j *Job) commit(w workspace, reduces []*manifest, done *Done) error {
	folder := filepath.Join(j.Folder, j.ID)
	folders := map[string]bool{folder: true, j.Folder: true}
	if err := failpoint.Here("batch/before-publish"); err != nil {
		return fmt.Errorf("cannot commit job %q: %w", j.ID, err)
	}
	for _, m := range reduces {
		for _, f := range m.Files {
			from := m.path(f.Path)
			ext := path.Ext(f.Path)
			f.Path = strings.TrimSuffix(f.Path, ext) + "-" + f.SHA256[:8] + ext
			to := filepath.Join(folder, filepath.FromSlash(f.Path))
			folders[filepath.Dir(to)] = true
			err := f.publish(from, to)
			if err == nil {
				err = failpoint.Here("batch/published")
			}
			if err != nil {
				return fmt.Errorf("cannot commit job %q: %w", j.ID, err)
			}
			done.Files = append(done.Files, f)
		}
	}
	slices.SortFunc(done.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	content, err := j.Success(*done)
	if err != nil {
		return fmt.Errorf("cannot commit job %q: %w", j.ID, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("cannot commit job %q: %w", j.ID, err)
	}
	for f := range folders {
		if err := syncFolder(f); err != nil {
			return fmt.Errorf("cannot commit job %q: %w", j.ID, err)
		}
	}
	if err := succeed(filepath.Join(folder, SuccessName), content); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = ErrExists
		}
		return fmt.Errorf("cannot commit job %q: %w", j.ID, err)
	}
	if err := errors.Join(failpoint.Here("batch/success"), syncFolder(folder)); err != nil {
		return fmt.Errorf("cannot commit job %q: %w", j.ID, err)
	}
	_ = os.RemoveAll(string(w)) // what stays is ignored
	os.Remove(filepath.Dir(string(w)))
	return nil
}

// succeed makes the job exist.
func succeed(name string, content []byte) error {
	inPlace := failpoint.Mutant("batch/success-in-place")
	if inPlace {
		if err := os.WriteFile(name, content[:len(content)/2], 0o644); err != nil {
			return err
		}
	}
	if err := failpoint.Here("batch/before-success"); err != nil {
		return err
	}
	if inPlace {
		return os.WriteFile(name, content, 0o644)
	}
	return linkNew(name, content, true)
}

// publish makes a file durable and links it to its final name. A file which is
// there already must be the same: the name has only a part of the checksum.
func (f *File) publish(from, to string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	err = os.Link(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := f.verify(to); err != nil {
		return fmt.Errorf("another file stands in the way; remove it: %w", err)
	}
	return nil
}

func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
