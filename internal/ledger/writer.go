package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"parallax.example/internal/failpoint"
)

// flushAt bounds what waits in memory: beyond it an append writes by itself.
const flushAt = 1 << 20

// Writer appends to a ledger. Its methods may be called from several
// goroutines: the one that sends and the one that hears of deliveries.
// The first error of the disk sticks: nothing is written after it.
type Writer struct {
	path string
	f    *os.File
	disk sync.Mutex // held while the file is written; taken before mu
	mu   sync.Mutex // guards what follows
	buf  []byte     // entries that are not written yet
	next uint64
	err  error

	spare []byte // the other buffer; guarded by disk
}

// Create begins a ledger at path, where no file may be. The file appears with
// its header whole.
func Create(path string, h Header) (*Writer, error) {
	w, err := create(path, h)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("cannot create ledger %q: the file exists; resume it, or name another", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot create ledger %q: %w", path, err)
	}
	return w, nil
}

func create(path string, h Header) (w *Writer, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = os.Remove(f.Name()) // the name only; a linked file stays
		if err != nil {
			_ = f.Close()
		}
	}()
	if err := lock(f); err != nil {
		return nil, err
	}
	if _, err := f.Write(appendHeader([]byte(magic), &h)); err != nil {
		return nil, err
	}
	if err := f.Chmod(0o644); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return &Writer{path: path, f: f}, nil
}

// Recovery is what Resume found.
type Recovery struct {
	Info
	// Pending are the intents without ok, in the order of N: they must be
	// sent again with the same bytes, since nobody knows whether they arrived.
	Pending []Intent
}

// Resume opens a ledger to append to it, and cuts off a torn tail.
func Resume(path string) (*Writer, *Recovery, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot resume ledger: %w", err)
	}
	w, rec, err := resume(f, path)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return w, rec, nil
}

func resume(f *os.File, path string) (*Writer, *Recovery, error) {
	if err := lock(f); err != nil {
		return nil, nil, fmt.Errorf("cannot resume ledger %q: %w", path, err)
	}
	rec := &Recovery{}
	info, err := walk(f, path, func(i *Intent, o *Outcome) error {
		if o.Status != OK {
			pending := *i
			pending.Key, pending.Value = bytes.Clone(i.Key), bytes.Clone(i.Value)
			rec.Pending = append(rec.Pending, pending)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	rec.Info = info
	if info.Torn > 0 {
		if err := errors.Join(f.Truncate(info.Size), f.Sync()); err != nil {
			return nil, nil, fmt.Errorf("cannot cut the torn tail off ledger %q: %w", path, err)
		}
	}
	if _, err := f.Seek(info.Size, 0); err != nil {
		return nil, nil, fmt.Errorf("cannot resume ledger %q: %w", path, err)
	}
	return &Writer{path: path, f: f, next: info.Intents}, rec, nil
}

// Intent appends an intent under the next number, which i.N is set to. The
// message may be sent only after Sync.
func (w *Writer) Intent(i *Intent) error {
	const fields = 64 // more than all but key and value take
	if size := len(i.Key) + len(i.Value); size > maxBody-fields {
		return fmt.Errorf("cannot write ledger: a message of %d bytes is too large, at most %d fit", size, maxBody-fields)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i.N = w.next
	w.next++
	w.buf = appendIntent(w.buf, i)
	return w.err
}

// OK notes that Kafka acknowledged intent n; offset -1 when it did not tell where.
func (w *Writer) OK(n uint64, partition int32, offset, time int64) {
	if n%5 == 4 && failpoint.Mutant("ledger/outcome-lost") {
		return
	}
	w.mu.Lock()
	w.buf = appendOK(w.buf, n, partition, offset, time)
	w.release()
}

// Failed notes that the client gave intent n up.
func (w *Writer) Failed(n uint64, reason string) {
	w.mu.Lock()
	w.buf = appendFailed(w.buf, n, reason[:min(len(reason), 4096)])
	w.release()
}

// Resent notes that intent n, of an earlier process, is about to be sent again.
func (w *Writer) Resent(n uint64) {
	w.mu.Lock()
	w.buf = appendResent(w.buf, n)
	w.release()
}

// release unlocks mu and writes when much waits. An error sticks until the
// next call that returns one.
func (w *Writer) release() {
	full := len(w.buf) >= flushAt
	w.mu.Unlock()
	if full {
		_ = w.Flush()
	}
}

// Next is the number that the next intent gets.
func (w *Writer) Next() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// Flush hands what waits to the operating system: it survives a kill of the
// process, not of the machine.
func (w *Writer) Flush() error { return w.write(nil) }

// Sync makes all appended entries durable (fdatasync).
func (w *Writer) Sync() error { return w.write(datasync) }

func (w *Writer) write(sync func(*os.File) error) error {
	w.disk.Lock()
	defer w.disk.Unlock()
	w.mu.Lock()
	pending, err := w.buf, w.err
	w.buf = w.spare[:0]
	w.mu.Unlock()
	w.spare = pending
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		_, err = w.f.Write(pending)
	}
	if err == nil && sync != nil {
		err = sync(w.f)
	}
	if err != nil {
		err = fmt.Errorf("cannot write ledger %q: %w", w.path, err)
		w.mu.Lock()
		w.err = err
		w.mu.Unlock()
	}
	return err
}

// Close syncs and closes the file.
func (w *Writer) Close() error {
	err := w.Sync()
	if cerr := w.f.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("cannot close ledger %q: %w", w.path, cerr)
	}
	return err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
