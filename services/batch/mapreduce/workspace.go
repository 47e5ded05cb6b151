package mapreduce

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"parallax.example/internal/failpoint"
)

// workspace is a job's temporary folder:
//
//	input                    what the job was begun with
//	<task>.json              the manifest of a committed task
//	<task>/<attempt>/…       the files of an attempt
type workspace string

// begin makes the folder, or finds that of the same job, which died.
func (w workspace) begin(input []byte) error {
	if err := os.MkdirAll(string(w), 0o755); err != nil {
		return fmt.Errorf("cannot create the job's folder: %w", err)
	}
	name := filepath.Join(string(w), "input")
	if err := linkNew(name, input, false); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot begin the job: %w", err)
	}
	old, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("cannot begin the job: %w", err)
	}
	if !bytes.Equal(old, input) {
		return fmt.Errorf("cannot resume the job in %q: it was begun with another input or question; give another id, or remove the folder", string(w))
	}
	return nil
}

// manifest is what a committed task made.
type manifest struct {
	Attempt  string           `json:"attempt"`
	Files    []File           `json:"files"` // paths within the attempt's folder
	Counters map[string]int64 `json:"counters,omitempty"`
	Records  int64            `json:"records"`

	folder string
}

// committed returns a task's manifest, nil if none is committed. Its files are
// held against their checksums; a task whose files were damaged is forgotten.
func (w workspace) committed(task string) (*manifest, error) {
	name := filepath.Join(string(w), task+".json")
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read task manifest: %w", err)
	}
	m := &manifest{}
	whole := json.Unmarshal(b, m) == nil
	m.folder = filepath.Join(string(w), task, filepath.Base(m.Attempt))
	for _, f := range m.Files {
		whole = whole && (failpoint.Mutant("batch/resume-unverified") || f.verify(m.path(f.Path)) == nil)
	}
	if !whole {
		if err := os.Remove(name); err != nil {
			return nil, fmt.Errorf("cannot forget damaged task %s: %w", task, err)
		}
		return nil, nil
	}
	return m, nil
}

// verify reads what is there under a name and compares size and checksum.
func (f *File) verify(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != f.Size || got != f.SHA256 {
		return fmt.Errorf("%s has %d bytes with SHA-256 %s instead of %d with %s", name, n, got, f.Size, f.SHA256)
	}
	return nil
}

func (m *manifest) path(name string) string { return filepath.Join(m.folder, filepath.FromSlash(name)) }

// attempt is one try at a task. Nobody uses its files before commit.
type attempt struct {
	manifest
	w     workspace
	task  string
	index int
	files []*output
}

func (w workspace) attempt(task string, index int) (*attempt, error) {
	a := &attempt{w: w, task: task, index: index}
	a.Attempt = rand.Text()[:10]
	a.Counters = map[string]int64{}
	a.folder = filepath.Join(string(w), task, a.Attempt)
	if err := os.MkdirAll(a.folder, 0o755); err != nil {
		return nil, fmt.Errorf("cannot begin task %s: %w", task, err)
	}
	return a, nil
}

// output is a file under way, hashed as it is written.
type output struct {
	name string
	file *os.File
	sum  hash.Hash
	size int64
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	o.sum.Write(b[:n])
	o.size += int64(n)
	if err == nil {
		err = failpoint.Here("batch/mid-task")
	}
	return n, err
}

func (a *attempt) create(name string) (*output, error) {
	if !fs.ValidPath(name) {
		panic(fmt.Sprintf("BUG: %q is no path of an output file", name))
	}
	path := a.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot create output: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot create output: %w", err)
	}
	o := &output{name: name, file: f, sum: sha256.New()}
	a.files = append(a.files, o)
	return o, nil
}

// seal closes the attempt's files and lists them with their rows.
func (a *attempt) seal(rows map[string]int64) error {
	for _, o := range a.files {
		if err := o.file.Close(); err != nil {
			return fmt.Errorf("cannot close output: %w", err)
		}
		o.file = nil
		a.Files = append(a.Files, File{o.name, o.size, hex.EncodeToString(o.sum.Sum(nil)), rows[o.name]})
	}
	return nil
}

// commit links the task's manifest; when another attempt was first, that one holds.
func (a *attempt) commit() error {
	b, err := json.Marshal(&a.manifest)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	if err = failpoint.Here("batch/before-task-commit"); err == nil {
		err = linkNew(filepath.Join(string(a.w), a.task+".json"), b, false)
	}
	if errors.Is(err, fs.ErrExist) {
		a.discard()
		return nil
	}
	if err == nil {
		err = failpoint.Here("batch/task-committed")
	}
	if err != nil {
		return fmt.Errorf("cannot commit task %s: %w", a.task, err)
	}
	return nil
}

func (a *attempt) discard() {
	for _, o := range a.files {
		if o.file != nil {
			o.file.Close()
		}
	}
	_ = os.RemoveAll(a.folder) // what stays is ignored and goes with the job's folder
}

// linkNew makes a file with this content, whole or not at all; fs.ErrExist when
// there is one of its name.
// Only what outlives the job need be durable: a task manifest that a power cut
// tears is found damaged and its task is run again.
func linkNew(name string, content []byte, durable bool) error {
	temp := name + "." + rand.Text()[:10] + ".tmp"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	_, err = f.Write(content)
	if durable {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(temp, name)
}
