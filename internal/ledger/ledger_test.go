package ledger_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/ledger"
)

var header = ledger.Header{Run: "r1", Topic: "parallax.events", Source: "flights", Partitions: 4, Started: 1_000}

// small writes three intents and an entry of each other kind.
func small(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "generator.ledger")
	w, err := ledger.Create(path, header)
	must(t, err)
	must(t, w.Intent(&ledger.Intent{Op: ledger.Event, Partition: 0, Scheduled: 2_000, Key: []byte("ATL"), Value: []byte{0x0a, 0x01}}))
	must(t, w.Intent(&ledger.Intent{Op: ledger.Poison, Partition: 3, Scheduled: -1, Key: []byte{}, Value: nil}))
	must(t, w.Intent(&ledger.Intent{Op: ledger.Punctuation, Partition: 1, Scheduled: 2_001, Value: []byte{0x12}}))
	must(t, w.Sync())
	w.OK(1, 3, 7, 2_002)
	w.Failed(0, "timed out")
	w.Resent(0)
	w.OK(0, 0, -1, 0)
	must(t, w.Close())
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read lists the entries of a ledger as texts, and what ended the reading.
func read(b []byte) (entries []string, torn int64, err error) {
	r, err := ledger.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	var e ledger.Entry
	for {
		if err = r.Next(&e); err != nil {
			break
		}
		entries = append(entries, fmt.Sprintf("%+v", e))
	}
	if errors.Is(err, io.EOF) {
		return entries, r.Torn(), nil
	}
	return entries, 0, err
}

// Ensure that the bytes on disk do not change unnoticed: old ledgers stay readable.
func TestGoldenBytes(t *testing.T) {
	got, err := os.ReadFile(small(t))
	must(t, err)
	want := "" +
		"706172616c6c6178206c65646765720a" + // magic
		"20000000" + "f34e9dd3" + "01" + "01" + "027231" + "0f706172616c6c61782e6576656e7473" + "07666c6967687473" + "04" + "d00f" +
		"0d000000" + "2f270015" + "02" + "00" + "01" + "00" + "a01f" + "0441544c" + "030a01" +
		"07000000" + "e1eb74e3" + "02" + "01" + "03" + "03" + "01" + "01" + "00" +
		"09000000" + "8bf4e5ef" + "02" + "02" + "04" + "01" + "a21f" + "00" + "0212" +
		"06000000" + "a6621050" + "03" + "01" + "03" + "0e" + "a41f" +
		"0c000000" + "dc7ab1fe" + "04" + "00" + "09" + hex.EncodeToString([]byte("timed out")) +
		"02000000" + "e2258ed1" + "05" + "00" +
		"05000000" + "5b5485ca" + "03" + "00" + "00" + "01" + "00"
	if text := hex.EncodeToString(got); text != want {
		t.Errorf("the bytes differ:\n got %s\nwant %s", text, want)
	}
}

func TestWalkGivesLastOutcome(t *testing.T) {
	var got []string
	info, err := ledger.Walk(small(t), func(i *ledger.Intent, o *ledger.Outcome) error {
		got = append(got, fmt.Sprintf("%d %s p%d @%d key=%q nil=%t value=%x nil=%t: %+v",
			i.N, i.Op, i.Partition, i.Scheduled, i.Key, i.Key == nil, i.Value, i.Value == nil, *o))
		return nil
	})
	must(t, err)
	want := []string{
		`0 event p0 @2000 key="ATL" nil=false value=0a01 nil=false: {Status:ok Resent:1 Partition:0 Offset:-1 Time:0 Reason:}`,
		`1 poison p3 @-1 key="" nil=false value= nil=true: {Status:ok Resent:0 Partition:3 Offset:7 Time:2002 Reason:}`,
		`2 punctuation p1 @2001 key="" nil=true value=12 nil=false: {Status:unknown Resent:0 Partition:0 Offset:0 Time:0 Reason:}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	info.Size = 0
	if diff := cmp.Diff(ledger.Info{Header: header, Intents: 3, OK: 2, Unknown: 1, Resent: 1}, info); diff != "" {
		t.Error(diff)
	}
}

// Ensure that a kill at any byte of a write leaves a readable ledger which
// holds every whole entry, and which can be resumed.
func TestTornAnywhere(t *testing.T) {
	path := small(t)
	whole, err := os.ReadFile(path)
	must(t, err)
	all, _, err := read(whole)
	must(t, err)
	const headerEnd = 16 + 8 + 32
	seen := 0
	for cut := headerEnd; cut < len(whole); cut++ {
		entries, torn, err := read(whole[:cut])
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if !slices.Equal(all[:len(entries)], entries) {
			t.Fatalf("cut at %d: %s", cut, cmp.Diff(all[:len(entries)], entries))
		}
		if torn == 0 {
			seen++
			if len(entries) != seen-1 {
				t.Fatalf("cut at %d: %d entries, want %d", cut, len(entries), seen-1)
			}
		}
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		w, rec, err := ledger.Resume(path)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if rec.Torn != torn || rec.Size != int64(cut)-torn || uint64(len(rec.Pending)) != rec.Intents-rec.OK {
			t.Fatalf("cut at %d: recovery %+v, want torn %d", cut, rec, torn)
		}
		must(t, w.Intent(&ledger.Intent{Op: ledger.Event, Value: []byte("next")}))
		must(t, w.Close())
		b, err := os.ReadFile(path)
		must(t, err)
		again, torn, err := read(b)
		if err != nil || torn != 0 || len(again) != len(entries)+1 {
			t.Fatalf("cut at %d: after resuming %d entries, torn %d, %v; want %d, 0", cut, len(again), torn, err, len(entries)+1)
		}
	}
	if seen != len(all) {
		t.Errorf("%d cuts fell between entries, want %d", seen, len(all))
	}
}

// Ensure that no flipped bit goes unnoticed, and that only one in the last
// entry passes for a torn tail.
func TestFlippedBits(t *testing.T) {
	whole, err := os.ReadFile(small(t))
	must(t, err)
	const last = 8 + 5
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		entries, torn, err := read(b)
		var corrupt *ledger.CorruptError
		switch inLast := bit/8 >= len(whole)-last; {
		case inLast && (err != nil || torn != last || len(entries) != 6):
			t.Fatalf("bit %d of the last entry: %d entries, torn %d, %v", bit, len(entries), torn, err)
		case !inLast && !errors.As(err, &corrupt):
			t.Fatalf("bit %d: %v, want a CorruptError", bit, err)
		case !inLast && (corrupt.Offset > int64(bit/8) || int64(bit/8) > corrupt.Offset+48):
			t.Fatalf("bit %d, in byte %d, is placed at byte %d", bit, bit/8, corrupt.Offset)
		}
	}
}

// Ensure that bytes which zeroed pages or garbage left at the end count as torn.
func TestGarbageTail(t *testing.T) {
	whole, err := os.ReadFile(small(t))
	must(t, err)
	for _, tail := range [][]byte{make([]byte, 300_000), bytes.Repeat([]byte{0xff}, 300_000), []byte(strings.Repeat("\x05\x00\x00\x00abcd\x02", 20_000))} {
		entries, torn, err := read(append(bytes.Clone(whole), tail...))
		if err != nil || torn != int64(len(tail)) || len(entries) != 7 {
			t.Errorf("tail %x…: %d entries, torn %d, %v", tail[:8], len(entries), torn, err)
		}
	}
}

func TestNotALedger(t *testing.T) {
	whole, err := os.ReadFile(small(t))
	must(t, err)
	f := func(b []byte, want string) {
		t.Helper()
		if _, _, err := read(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", b, err, want)
		}
	}
	f(nil, "not a ledger")
	f([]byte("PAR1"), "not a ledger")
	f(whole[:20], "the header is not whole")
	f(whole[:16], "the header is not whole")
}

// Ensure that entries no Writer writes are refused although their checksums are right.
func TestImpossibleEntries(t *testing.T) {
	whole, err := os.ReadFile(small(t))
	must(t, err)
	const first, second = 16 + 8 + 32, 16 + 8 + 32 + 8 + 13
	f := func(b []byte, want string) {
		t.Helper()
		if _, _, err := read(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(append(bytes.Clone(whole[:first]), whole[second:]...), "intent 1 stands where intent 0 belongs")
	f(append(bytes.Clone(whole[:second]), whole[second+8+7+8+9:]...), "an outcome of intent 1 stands before the intent")
	f(append(bytes.Clone(whole[:16]), whole[first:]...), "the first entry is of kind 2, not a header")

	twice := filepath.Join(t.TempDir(), "twice")
	must(t, os.WriteFile(twice, append(whole, whole[len(whole)-13:]...), 0o600))
	_, err = ledger.Walk(twice, func(*ledger.Intent, *ledger.Outcome) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "intent 0 was already ok") {
		t.Errorf("a second ok: %v", err)
	}
}

func TestOneWriter(t *testing.T) {
	path := small(t)
	if _, err := ledger.Create(path, header); err == nil || !strings.Contains(err.Error(), "the file exists") {
		t.Errorf("Create over a ledger: %v", err)
	}
	w, _, err := ledger.Resume(path)
	must(t, err)
	if _, _, err := ledger.Resume(path); err == nil || !strings.Contains(err.Error(), "another generator") {
		t.Errorf("a second writer: %v", err)
	}
	must(t, w.Close())
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	must(t, err)
	if len(left) != 1 {
		t.Errorf("files left behind: %q", left)
	}
}

func TestDiskErrorSticks(t *testing.T) {
	path := small(t)
	w, _, err := ledger.Resume(path)
	must(t, err)
	must(t, w.Close())
	w.OK(2, 1, 1, 1) // on a closed file
	if err := w.Sync(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Sync on a closed file: %v", err)
	}
	if err := w.Intent(&ledger.Intent{Op: ledger.Event}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Intent after an error: %v", err)
	}
	if err := w.Intent(&ledger.Intent{Op: ledger.Event, Value: make([]byte, 5<<20)}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a message of 5 MiB: %v", err)
	}
}

// Ensure that whatever is written is read: any entries, any split into syncs
// and restarts, deliveries from another goroutine.
func TestWrittenIsRead(t *testing.T) {
	folder := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		path := filepath.Join(folder, fmt.Sprint(run))
		w, err := ledger.Create(path, header)
		if err != nil {
			t.Fatal(err)
		}
		var want []ledger.Intent
		outcome := map[uint64]ledger.Outcome{}
		for range rapid.IntRange(0, 6).Draw(t, "groups") {
			from := len(want)
			for range rapid.IntRange(0, 20).Draw(t, "group") {
				i := ledger.Intent{
					Op:        ledger.Op(rapid.IntRange(1, 4).Draw(t, "op")),
					Partition: rapid.Int32Range(0, 3).Draw(t, "partition"),
					Scheduled: rapid.Int64().Draw(t, "scheduled"),
					Key:       rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "key"),
					Value:     rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value"),
				}
				if rapid.Bool().Draw(t, "null") {
					i.Key = nil
				}
				if err := w.Intent(&i); err != nil {
					t.Fatal(err)
				}
				want = append(want, i)
			}
			var deliveries sync.WaitGroup
			for n := from; n < len(want); n++ {
				o := ledger.Outcome{Status: ledger.Status(rapid.IntRange(0, 2).Draw(t, "status"))}
				switch o.Status {
				case ledger.OK:
					o.Partition, o.Offset, o.Time = want[n].Partition, rapid.Int64Min(-1).Draw(t, "offset"), rapid.Int64().Draw(t, "time")
					deliveries.Go(func() { w.OK(uint64(n), o.Partition, o.Offset, o.Time) })
				case ledger.Failed:
					o.Reason = rapid.String().Draw(t, "reason")
					deliveries.Go(func() { w.Failed(uint64(n), o.Reason) })
				}
				outcome[uint64(n)] = o
			}
			if err := w.Sync(); err != nil {
				t.Fatal(err)
			}
			deliveries.Wait()
			if rapid.Bool().Draw(t, "restart") {
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				var rec *ledger.Recovery
				if w, rec, err = ledger.Resume(path); err != nil {
					t.Fatal(err)
				}
				for _, i := range rec.Pending {
					if outcome[i.N].Status == ledger.OK {
						t.Fatalf("intent %d is ok and pending", i.N)
					}
					if diff := cmp.Diff(want[i.N], i); diff != "" {
						t.Fatal(diff)
					}
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got []ledger.Intent
		_, err = ledger.Walk(path, func(i *ledger.Intent, o *ledger.Outcome) error {
			copied := *i
			copied.Key, copied.Value = bytes.Clone(i.Key), bytes.Clone(i.Value)
			got = append(got, copied)
			if diff := cmp.Diff(outcome[i.N], *o); diff != "" {
				return errors.New(diff)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzReader(f *testing.F) {
	whole, err := os.ReadFile(small(f))
	must(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ledger.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		var e ledger.Entry
		for err == nil {
			err = r.Next(&e)
		}
		var corrupt *ledger.CorruptError
		switch {
		case errors.Is(err, io.EOF):
			if r.Offset()+r.Torn() != int64(len(b)) {
				t.Fatalf("%d bytes read and %d torn of %d", r.Offset(), r.Torn(), len(b))
			}
		case !errors.As(err, &corrupt):
			t.Fatal(err)
		case corrupt.Offset >= int64(len(b)):
			t.Fatalf("damage at byte %d of %d", corrupt.Offset, len(b))
		}
		if err := r.Next(&e); err == nil {
			t.Fatal("an entry after the end")
		}
	})
}

func BenchmarkIntent(b *testing.B) {
	w, err := ledger.Create(filepath.Join(b.TempDir(), "l"), header)
	must(b, err)
	i := ledger.Intent{Op: ledger.Event, Scheduled: 1e12, Key: []byte("ATL"), Value: make([]byte, 40)}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		must(b, w.Intent(&i))
		w.OK(i.N, 0, int64(n), 1e12)
		if n%4096 == 0 {
			must(b, w.Sync())
		}
	}
	must(b, w.Close())
}

func BenchmarkNext(b *testing.B) {
	path := filepath.Join(b.TempDir(), "l")
	w, err := ledger.Create(path, header)
	must(b, err)
	for n := range 100_000 {
		must(b, w.Intent(&ledger.Intent{Op: ledger.Event, Scheduled: 1e12, Key: []byte("ATL"), Value: make([]byte, 40)}))
		w.OK(uint64(n), 0, int64(n), 1e12)
	}
	must(b, w.Close())
	b.ReportAllocs()
	for b.Loop() {
		r, err := ledger.OpenReader(path)
		must(b, err)
		var e ledger.Entry
		for err == nil {
			err = r.Next(&e)
		}
		must(b, r.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200_000, "ns/entry")
}
