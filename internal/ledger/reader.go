package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Reader reads a ledger's entries in the order in which they were written. It
// allocates nothing per entry.
type Reader struct {
	src    io.Reader
	close  func() error
	path   string
	header Header

	buf        []byte // buf[start:end] is read but not consumed
	start, end int
	eof        bool

	offset  int64 // file position of buf[start]
	torn    int64
	intents uint64
	err     error // sticky: io.EOF or worse
}

// OpenReader opens a file. It may be read while a generator writes it: the
// entry under way then counts as a torn tail.
func OpenReader(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open ledger: %w", err)
	}
	r, err := newReader(f, path)
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	r.close = f.Close
	return r, nil
}

// NewReader reads a ledger from any stream.
func NewReader(src io.Reader) (*Reader, error) { return newReader(src, "") }

func newReader(src io.Reader, path string) (*Reader, error) {
	r := &Reader{src: src, path: path, buf: make([]byte, 64<<10)}
	if err := r.fill(len(magic)); err != nil {
		return nil, err
	}
	if string(r.buf[r.start:min(r.end, r.start+len(magic))]) != magic {
		return nil, r.corrupt("the file is not a ledger")
	}
	r.consume(len(magic))
	body, cause, err := r.frame()
	if err != nil {
		return nil, err
	}
	if body == nil && cause == "" {
		cause = "the file ends before it"
	}
	if cause != "" {
		return nil, r.corrupt("the header is not whole: " + cause)
	}
	if err := r.header.decode(body); err != nil {
		return nil, r.corrupt(err.Error())
	}
	r.consume(frameHead + len(body))
	return r, nil
}

// Header says what the ledger is of.
func (r *Reader) Header() Header { return r.header }

// Offset is the byte at which the next entry begins; after io.EOF, the length
// of the ledger without a torn tail.
func (r *Reader) Offset() int64 { return r.offset }

// Torn is, after io.EOF, how many bytes a kill left after the last whole entry.
func (r *Reader) Torn() int64 { return r.torn }

// Close closes a file that OpenReader opened.
func (r *Reader) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// Next reads the next entry into e, whose bytes are valid until the call after.
// At the end, or at a torn tail, it gives io.EOF; at damage a *CorruptError.
func (r *Reader) Next(e *Entry) error {
	if r.err == nil {
		r.err = r.next(e)
	}
	return r.err
}

func (r *Reader) next(e *Entry) error {
	body, cause, err := r.frame()
	if err != nil {
		return err
	}
	if cause != "" {
		return r.damaged(cause)
	}
	if body == nil {
		return io.EOF
	}
	if err := e.decode(body); err != nil {
		return r.corrupt(err.Error())
	}
	if err := r.check(e); err != nil {
		return r.corrupt(err.Error())
	}
	r.consume(frameHead + len(body))
	return nil
}

// check refuses what no Writer writes, however right its checksum.
func (r *Reader) check(e *Entry) error {
	partition := e.Partition
	if e.Kind == KindIntent {
		if e.N != r.intents {
			return fmt.Errorf("intent %d stands where intent %d belongs", e.N, r.intents)
		}
		partition = e.Intent.Partition
		r.intents++
	}
	if e.N >= r.intents {
		return fmt.Errorf("an outcome of intent %d stands before the intent", e.N)
	}
	if partition >= r.header.Partitions {
		return fmt.Errorf("intent %d is for partition %d of %d", e.N, partition, r.header.Partitions)
	}
	return nil
}

// frame returns the body of the frame that begins here, without consuming it.
// At the end of the stream body is nil; when there is no whole frame, cause
// says why. Only reading itself gives an error.
func (r *Reader) frame() (body []byte, cause string, err error) {
	if err := r.fill(frameHead + 1); err != nil {
		return nil, "", err
	}
	head := r.buf[r.start:r.end]
	if len(head) == 0 {
		return nil, "", nil
	}
	if len(head) <= frameHead {
		return nil, "the file ends inside an entry", nil
	}
	length := binary.LittleEndian.Uint32(head)
	if length == 0 || length > maxBody {
		return nil, "no entry has this length", nil
	}
	if k := Kind(head[frameHead]); k < kindHeader || k > KindResent {
		return nil, "no entry is of this kind", nil
	}
	if err := r.fill(frameHead + int(length)); err != nil {
		return nil, "", err
	}
	head = r.buf[r.start:r.end]
	if len(head) < frameHead+int(length) {
		return nil, "the file ends inside an entry", nil
	}
	body = head[frameHead : frameHead+length]
	if binary.LittleEndian.Uint32(head[4:]) != sum(head[:4], body) {
		return nil, "the checksum differs", nil
	}
	return body, "", nil
}

// damaged tells a torn tail from damage. A kill tears only the last write, so
// a whole entry behind the fault means that something else happened.
func (r *Reader) damaged(cause string) error {
	at, passed := r.offset, 0
	for {
		r.consume(1)
		passed++
		body, why, err := r.frame()
		if err != nil {
			return err
		}
		if why != "" {
			continue
		}
		if body != nil {
			follows := r.offset
			r.offset = at
			return r.corrupt(fmt.Sprintf("%s, and a whole entry follows at byte %d", cause, follows))
		}
		r.offset, r.torn = at, int64(passed)
		return io.EOF
	}
}

func (r *Reader) corrupt(cause string) error {
	return &CorruptError{Path: r.path, Offset: r.offset, Cause: cause}
}

func (r *Reader) consume(n int) {
	r.start += n
	r.offset += int64(n)
}

// fill makes at least n bytes available, fewer only at the end of the stream.
func (r *Reader) fill(n int) error {
	for r.end-r.start < n && !r.eof {
		if r.start > 0 && len(r.buf)-r.start < n {
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start = 0
		}
		if len(r.buf) < n {
			r.buf = append(r.buf, make([]byte, n-len(r.buf))...)
		}
		k, err := r.src.Read(r.buf[r.end:])
		r.end += k
		if errors.Is(err, io.EOF) {
			r.eof = true
		} else if err != nil {
			return fmt.Errorf("cannot read ledger %q at byte %d: %w", r.path, r.offset+int64(r.end-r.start), err)
		}
	}
	return nil
}
