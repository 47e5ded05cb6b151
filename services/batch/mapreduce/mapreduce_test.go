package mapreduce_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/services/batch/mapreduce"
)

// sums is a job that adds the numbers emitted for each word.
func sums(folder, id string, splits [][]string, reduces, workers int) *mapreduce.Job {
	return &mapreduce.Job{
		ID: id, Folder: folder, Input: []byte("sums"),
		Maps: len(splits), Reduces: reduces, Workers: workers,
		Map: func(_ context.Context, task int, out *mapreduce.Emitter) error {
			for i, word := range splits[task] {
				out.Emit([]byte(word), binary.BigEndian.AppendUint64(nil, uint64(i+1)))
				out.Count("words", 1)
			}
			return nil
		},
		Merge: func(into, value []byte) []byte {
			binary.BigEndian.PutUint64(into, binary.BigEndian.Uint64(into)+binary.BigEndian.Uint64(value))
			return into
		},
		Shard: func(key []byte) uint64 {
			n := uint64(len(key))
			for _, b := range key {
				n = n*31 + uint64(b)
			}
			return n
		},
		Reduce: func(task int, out *mapreduce.Output) (mapreduce.Reducer, error) {
			name := fmt.Sprintf("sums/part-%d.txt", task)
			w, err := out.Create(name)
			return &lines{name: name, w: bufio.NewWriter(w), out: out}, err
		},
		Success: func(d mapreduce.Done) ([]byte, error) { return fmt.Appendf(nil, "%v", d), nil },
	}
}

type lines struct {
	name string
	w    *bufio.Writer
	out  *mapreduce.Output
	last string
	rows int64
}

func (l *lines) Put(key, value []byte) error {
	if l.rows > 0 && string(key) <= l.last {
		return fmt.Errorf("key %q after %q", key, l.last)
	}
	l.last, l.rows = string(key), l.rows+1
	l.out.Count("different", 1)
	_, err := fmt.Fprintf(l.w, "%q %d\n", key, binary.BigEndian.Uint64(value))
	return err
}

func (l *lines) Close() (map[string]int64, error) {
	return map[string]int64{l.name: l.rows}, l.w.Flush()
}

// tree is every file below a folder.
func tree(t testing.TB, folder string) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files[strings.TrimPrefix(path, folder)] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSameBytesWhateverTheOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00é")), 0, 12, -1)
		splits := rapid.SliceOfN(rapid.SliceOfN(word, 0, 50), 0, 6).Draw(rt, "splits")
		reduces := rapid.IntRange(1, 4).Draw(rt, "reduces")
		want := map[string]uint64{}
		words := int64(0)
		for _, s := range splits {
			for i, w := range s {
				want[w] += uint64(i + 1)
				words++
			}
		}
		folder := t.TempDir()
		var first map[string]string
		for i, workers := range []int{1, 4} {
			id := fmt.Sprint("job", workers)
			j := sums(folder, id, splits, reduces, workers)
			j.Shuffle(rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)))
			done, err := j.Run(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			if done.Counters["words"] != words || done.Counters["different"] != int64(len(want)) {
				rt.Fatalf("counted %v, want %d words and %d different ones", done.Counters, words, len(want))
			}
			got := tree(t, filepath.Join(folder, id))
			if i == 0 {
				first = got
			} else if diff := cmp.Diff(first, got); diff != "" {
				rt.Fatalf("%d workers gave other bytes:\n%s", workers, diff)
			}
		}
		got := map[string]uint64{}
		for name, content := range first {
			if !strings.HasPrefix(name, "/sums/") {
				continue
			}
			for line := range strings.Lines(content) {
				var w string
				var n uint64
				if _, err := fmt.Sscanf(line, "%q %d", &w, &n); err != nil {
					rt.Fatal(err)
				}
				got[w] = n
			}
		}
		if !cmp.Equal(want, got) {
			rt.Fatal(cmp.Diff(want, got))
		}
		if _, err := os.Stat(filepath.Join(folder, "_temporary")); err == nil {
			rt.Fatal("the temporary folder stays")
		}
	})
}

var four = [][]string{{"a", "b"}, {"b", "c"}, {"c"}, {"d", "a"}}

func TestRetriesAndResumption(t *testing.T) {
	folder := t.TempDir()
	if _, err := sums(folder, "calm", four, 2, 1).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := tree(t, filepath.Join(folder, "calm"))

	// Every first attempt fails, after it has emitted.
	var mu sync.Mutex
	tried := map[int]bool{}
	j := sums(folder, "shaky", four, 2, 2)
	whole := j.Map
	j.Map = func(ctx context.Context, task int, out *mapreduce.Emitter) error {
		if err := whole(ctx, task, out); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if !tried[task] {
			tried[task] = true
			return errors.New("the disk sneezed")
		}
		return nil
	}
	if _, err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, tree(t, filepath.Join(folder, "shaky"))); diff != "" {
		t.Errorf("retries changed the output:\n%s", diff)
	}

	// The job dies in its reduce stage; nothing is visible; a second run does not map again.
	j = sums(folder, "dead", four, 2, 1)
	reduce := j.Reduce
	j.Reduce = func(int, *mapreduce.Output) (mapreduce.Reducer, error) {
		return nil, mapreduce.Permanent(errors.New("killed"))
	}
	if _, err := j.Run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(filepath.Join(folder, "dead")); err == nil {
		t.Error("a dead job is visible")
	}
	var maps atomic.Int32
	again := j.Map
	j.Map = func(ctx context.Context, task int, out *mapreduce.Emitter) error {
		maps.Add(1)
		return again(ctx, task, out)
	}
	j.Reduce = reduce
	// One of its shuffle files was damaged meanwhile: only its task is done again.
	damaged, err := filepath.Glob(filepath.Join(folder, "_temporary", "dead", "map-00002", "*", "*.arrow"))
	if err != nil || len(damaged) == 0 {
		t.Fatal(damaged, err)
	}
	b, _ := os.ReadFile(damaged[0])
	b[len(b)/2] ^= 1
	if err := os.WriteFile(damaged[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if maps.Load() != 1 {
		t.Errorf("%d tasks were mapped again, want 1", maps.Load())
	}
	if diff := cmp.Diff(want, tree(t, filepath.Join(folder, "dead"))); diff != "" {
		t.Errorf("resumption changed the output:\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	folder := t.TempDir()
	if _, err := sums(folder, "../x", four, 1, 1).Run(t.Context()); err == nil {
		t.Error("a job outside of its folder was run")
	}
	if _, err := sums(folder, "j", four, 1, 1).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := tree(t, folder)
	if _, err := sums(folder, "j", four, 1, 1).Run(t.Context()); !errors.Is(err, mapreduce.ErrExists) {
		t.Errorf("the same id again: %v", err)
	}
	if !cmp.Equal(before, tree(t, folder)) {
		t.Error("the refused job changed files")
	}
	failing := sums(folder, "k", four, 1, 2)
	failing.Map = func(context.Context, int, *mapreduce.Emitter) error { return errors.New("always") }
	if _, err := failing.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "always") {
		t.Errorf("a task that always fails: %v", err)
	}
	other := sums(folder, "k", four, 1, 2)
	other.Input = []byte("another question")
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another input") {
		t.Errorf("resumption with another input: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sums(folder, "l", four, 1, 2).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A name has only a part of the checksum, so what stands under it is looked at.
func TestAnotherFileInTheWay(t *testing.T) {
	folder := t.TempDir()
	if _, err := sums(folder, "calm", four, 2, 1).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := tree(t, filepath.Join(folder, "calm"))
	var name string
	for n := range want {
		if strings.HasPrefix(n, "/sums/") {
			name = filepath.Join(folder, "j", n)
		}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := sums(folder, "j", four, 2, 1).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "stands in the way") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := sums(folder, "j", four, 2, 1).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, tree(t, filepath.Join(folder, "j"))); diff != "" {
		t.Error(diff)
	}
}

// TestTwoCoordinators run one job at once: one makes it, and it is whole.
func TestTwoCoordinators(t *testing.T) {
	folder := t.TempDir()
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = sums(folder, "j", four, 2, 2).Run(context.Background()) })
	}
	wg.Wait()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
		}
	}
	if winners != 1 {
		t.Fatalf("%d coordinators committed: %v", winners, errs)
	}
	if _, err := sums(folder, "calm", four, 2, 1).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, want := tree(t, filepath.Join(folder, "j")), tree(t, filepath.Join(folder, "calm"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkShuffle(b *testing.B) {
	var splits [][]string
	for i := range 4 {
		var s []string
		for k := range 100_000 {
			s = append(s, fmt.Sprintf("key %d", (k*7919+i)%50_000))
		}
		splits = append(splits, s)
	}
	folder := b.TempDir()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		j := sums(folder, fmt.Sprint(n), splits, 4, 2)
		if _, err := j.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*400_000), "ns/record")
}
