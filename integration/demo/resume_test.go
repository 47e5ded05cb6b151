package demo

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"parallax.example/internal/ledger"
)

// Everything by hand, with a generator that is interrupted, then killed, and
// resumed each time; and then with files that somebody has forged or damaged.
func TestResumedGenerator(t *testing.T) {
	const events = 20_000
	dir := folder(t)
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	broker := start(t, "broker", "--addr", "127.0.0.1:0", "--addr-file", in("broker.addr"))
	broker.until("its address", func() bool { return exists(dir, "broker.addr") })
	brokers := "--brokers=" + strings.TrimSpace(read(t, in("broker.addr")))
	run(t, 0, "topics", brokers)
	processor := start(t, "processor", brokers)

	sent := in("generator.ledger")
	generate := func() *process {
		return start(t, "generator", brokers, "--ledger", sent, "--limit", "20000", "--speed", "20000")
	}
	size := func() int64 {
		info, err := os.Stat(sent)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for _, end := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGKILL, -1}} {
		before := size()
		g := generate()
		g.until("some more events", func() bool { return size() > before+300_000 })
		g.signal(end.signal)
		if code := g.wait(); code != end.code {
			t.Errorf("after %v the generator ended with %d, want %d", end.signal, code, end.code)
		}
		t.Logf("after %v: %s", end.signal, readable(t, sent))
	}
	if code := generate().wait(); code != 0 {
		t.Fatalf("the resumed generator ended with %d", code)
	}
	t.Logf("at the end: %s", readable(t, sent))

	run(t, 0, "ingest", brokers, "--lake", in("lake"), "--to-end")
	run(t, 0, "batch", "--lake", in("lake"), "--out", in("batch"), "--job", "job")
	report := func(file string) *process {
		return start(t, "reporter", brokers, "--lake", in("lake"), "--batch", in("batch", "job"), "--ledger", strings.ReplaceAll(file, ",", `\,`), "--out", in("out"))
	}
	if code := report(sent).wait(); code != 0 {
		t.Fatalf("the reporter ended with %d", code)
	}
	r := explained(t, in("out"))
	if r.Ledger.Generated != events || r.Ledger.OK+r.Ledger.Found != events || r.Records.Valid != events {
		t.Errorf("ledger %+v, records %+v: want %d events, all sent once or known as copies", r.Ledger, r.Records, events)
	}

	key := forge(t, sent, in("forged.ledger"), events/2)
	forged := report(in("forged.ledger"))
	if code := forged.wait(); code != 1 || !strings.Contains(forged.stdout.String(), "UNEXPLAINED") {
		t.Errorf("with a forged ledger the reporter ended with %d, want 1", code)
	}
	if bad := verdict(t, in("out")); len(bad.Faults.Listed) == 0 || bad.Faults.Listed[0].Key != key {
		t.Errorf("the value of an event of key %s was forged; found is %+v", key, bad.Faults)
	}

	damage(t, sent, in("damaged.ledger"))
	report(in("damaged.ledger")).refuses("ledger", "damaged.ledger")
	if refused := verdict(t, in("out")); refused.Verdict.ExitCode != 2 {
		t.Errorf("the report still says %+v", refused.Verdict)
	}
	files, err := filepath.Glob(in("lake", "events", "*", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the lake has no files: %v", err)
	}
	slices.Sort(files)
	damage(t, files[0], files[0])
	start(t, "batch", "--lake", in("lake"), "--out", in("batch"), "--job", "second").refuses("SHA-256", filepath.Base(files[0]))

	for _, p := range []*process{processor, broker} {
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 130 {
			t.Errorf("%q ended with %d, want 130", p.cmd.Args, code)
		}
	}
}

// forge writes a copy of a ledger with another value in one event, and with the
// checksum that belongs to it. It returns the event's key.
func forge(t *testing.T, from, to string, n uint64) string {
	t.Helper()
	r, err := ledger.OpenReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var e ledger.Entry
	var start int64
	for e.Kind != ledger.KindIntent || e.Intent.N != n {
		start = r.Offset()
		if err := r.Next(&e); err != nil {
			t.Fatal(err)
		}
	}
	b := []byte(read(t, from))
	entry := b[start:r.Offset()] // length, checksum, body
	at := bytes.Index(entry, e.Intent.Value)
	if at < 0 || e.Intent.Op != ledger.Event {
		t.Fatalf("entry %d is no event", n)
	}
	entry[at+len(e.Intent.Value)-1] ^= 2 // the value is the last field
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(crc32.Checksum(entry[:4], castagnoli), castagnoli, entry[8:])
	binary.LittleEndian.PutUint32(entry[4:], sum)
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return string(e.Intent.Key)
}

// damage writes a copy of a file with one bit changed in its middle.
func damage(t *testing.T, from, to string) {
	t.Helper()
	b := []byte(read(t, from))
	b[len(b)/2] ^= 1
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
