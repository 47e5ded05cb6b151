package lake

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sync/errgroup"

	"parallax.example/internal/failpoint"
)

// ErrTaken says that another writer has committed a manifest with this start.
// The loser reads the chain again and goes on at its end.
var ErrTaken = errors.New("another writer has committed this range")

// NewID returns a random id for a Draft.
func NewID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Draft is the next link of a chain while it is written. Nobody sees it before
// Commit. A draft that is neither committed nor discarded leaves files that no
// manifest names.
type Draft struct {
	dir     *Dir
	id      string
	files   []*DraftFile
	hours   map[int64]bool
	syncing errgroup.Group
}

// syncs is how many files are synced at once: many small syncs together cost
// the device little more than one.
const syncs = 16

// Draft begins a draft. The id tells its files from those of every other
// attempt, so it is never used twice: see NewID.
func (d *Dir) Draft(id string) *Draft {
	if !idForm.MatchString(id) {
		panic(fmt.Sprintf("BUG: %q is not an id", id))
	}
	dr := &Draft{dir: d, id: id, hours: map[int64]bool{}}
	dr.syncing.SetLimit(syncs)
	return dr
}

// DraftFile is a data file while it is written.
type DraftFile struct {
	draft *Draft
	file  *os.File // nil once closed
	path  string   // where it lies now
	hour  int64
	sum   hash.Hash
	size  int64
}

// Create begins the file of one hour (HourOf); one of each hour is enough.
func (dr *Draft) Create(hour int64) (*DraftFile, error) {
	if dr.hours[hour] {
		panic(fmt.Sprintf("BUG: two files of hour %d in one draft", hour))
	}
	folder := hourFolder(hour)
	if err := dr.dir.root.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create lake folder: %w", err)
	}
	f := &DraftFile{draft: dr, path: path.Join(folder, dr.id+temporary), hour: hour, sum: sha256.New()}
	var err error
	if f.file, err = dr.dir.root.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
		return nil, fmt.Errorf("cannot create lake file: %w", err)
	}
	dr.hours[hour] = true
	dr.files = append(dr.files, f)
	return f, nil
}

// Write appends to the file.
func (f *DraftFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.sum.Write(p[:n])
	f.size += int64(n)
	if err == nil {
		err = f.draft.dir.here("ingest/mid-file")
	}
	if err != nil {
		return n, fmt.Errorf("cannot write lake file: %w", err)
	}
	return n, nil
}

// ReadAt reads what was written, for a check before Commit.
func (f *DraftFile) ReadAt(p []byte, offset int64) (int, error) { return f.file.ReadAt(p, offset) }

// Size and SHA256 are of what was written so far; the hash is hexadecimal.
func (f *DraftFile) Size() int64 { return f.size }

// SHA256 returns the digest of what was written so far, in hexadecimal digits.
func (f *DraftFile) SHA256() string { return hex.EncodeToString(f.sum.Sum(nil)) }

// Close ends the file. Its bytes become durable in the background; Commit waits
// for that and reports what went wrong.
func (f *DraftFile) Close() {
	file := f.file
	if file == nil {
		return
	}
	f.file = nil
	f.draft.syncing.Go(func() error {
		if err := errors.Join(f.draft.dir.here("ingest/before-sync"), file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("cannot sync lake file: %w", err)
		}
		return nil
	})
}

// Commit makes the draft's files and m the next link of the chain. m.Files
// describes the draft's files by hour, ascending; their paths are set here.
//
// After ErrTaken and after any other error before the manifest stood, the
// draft's files are removed. If the error comes after it stood, the files stay
// and the chain tells.
func (dr *Draft) Commit(m *Manifest) error {
	for _, step := range dr.steps(m) {
		if err := step(); err != nil {
			return errors.Join(err, dr.Discard())
		}
	}
	return nil
}

// steps are the commit's instructions between which a writer may die. Before
// the link nothing is committed; after it everything is, and durable but for
// the link itself.
func (dr *Draft) steps(m *Manifest) []func() error {
	temp := path.Join(chainFolder(m.Topic, m.Partition), dr.id+temporary)
	return []func() error{
		dr.syncFiles,
		func() error { return dr.rename(m) },
		dr.syncFolders,
		func() error { return dr.writeManifest(temp, m) },
		func() error { return dr.link(temp, m) },
		func() error { return dr.dir.sync(path.Dir(temp), map[string]bool{}) },
		func() error { dr.dir.root.Remove(temp); return nil }, // left behind, it is ignored
	}
}

func (dr *Draft) syncFiles() error {
	for _, f := range dr.files {
		f.Close()
	}
	return dr.syncing.Wait()
}

// rename gives the files their names, which need the range's end.
func (dr *Draft) rename(m *Manifest) error {
	if len(m.Files) != len(dr.files) {
		panic(fmt.Sprintf("BUG: a manifest of %d files for a draft of %d", len(m.Files), len(dr.files)))
	}
	byHour := map[int64]*DraftFile{}
	for _, f := range dr.files {
		byHour[f.hour] = f
	}
	for i := range m.Files {
		hour := HourOf(m.Files[i].MinEventTime)
		f := byHour[hour]
		if f == nil {
			panic(fmt.Sprintf("BUG: the draft has no file of hour %d", hour))
		}
		m.Files[i].Path = dataPath(hour, m.Topic, m.Partition, m.Start, m.End, dr.id)
	}
	if err := m.check(); err != nil {
		panic("BUG: a writer made an impossible manifest: " + err.Error())
	}
	for i := range m.Files {
		f := byHour[HourOf(m.Files[i].MinEventTime)]
		if err := dr.dir.root.Rename(f.path, m.Files[i].Path); err != nil {
			return fmt.Errorf("cannot name lake file: %w", err)
		}
		f.path = m.Files[i].Path
		if err := dr.dir.here("ingest/renamed"); err != nil {
			return fmt.Errorf("cannot name lake file: %w", err)
		}
	}
	return nil
}

func (dr *Draft) syncFolders() error {
	synced := map[string]bool{}
	for _, f := range dr.files {
		if err := dr.dir.sync(path.Dir(f.path), synced); err != nil {
			return err
		}
	}
	return nil
}

func (dr *Draft) writeManifest(temp string, m *Manifest) error {
	b, err := m.Encode()
	if err != nil {
		return err
	}
	if err := dr.dir.root.MkdirAll(path.Dir(temp), 0o755); err != nil {
		return fmt.Errorf("cannot create lake folder: %w", err)
	}
	f, err := dr.dir.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("cannot create manifest: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("cannot write manifest: %w", err), dr.remove(temp))
	}
	return nil
}

// link is the swap: of all links to one name, the first wins.
func (dr *Draft) link(temp string, m *Manifest) error {
	err := dr.dir.here("ingest/before-link")
	if err == nil {
		err = dr.dir.root.Link(temp, m.place())
	}
	if failpoint.Mutant("lake/link-over") {
		err = dr.dir.root.Rename(temp, m.place())
	}
	switch {
	case err == nil:
		dr.files = nil // they are the chain's now
		return dr.dir.here("ingest/linked")
	case errors.Is(err, fs.ErrExist):
		err = ErrTaken
	}
	return errors.Join(fmt.Errorf("cannot commit %s: %w", m.place(), err), dr.remove(temp))
}

func (dr *Draft) remove(p string) error {
	if err := dr.dir.root.Remove(p); err != nil {
		return fmt.Errorf("cannot remove lake file: %w", err)
	}
	return nil
}

// Discard removes the draft's files. After Commit it does nothing.
func (dr *Draft) Discard() error {
	var errs []error
	_ = dr.syncing.Wait() // they are removed
	for _, f := range dr.files {
		if f.file != nil {
			f.file.Close()
		}
		errs = append(errs, dr.remove(f.path))
	}
	dr.files = nil
	return errors.Join(errs...)
}
