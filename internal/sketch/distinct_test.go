package sketch_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parallax.example/internal/sketch"
)

// subjects returns the hashes of n different subjects.
func subjects(seed uint64, n int) []uint64 {
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = sketch.Hash(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), uint64(i)))
	}
	return hashes
}

func distinctOf(hashes ...uint64) *sketch.Distinct {
	d := new(sketch.Distinct)
	for _, h := range hashes {
		d.Add(h)
	}
	return d
}

// naive is the definition: the largest rank of each register, then the bytes.
func naive(hashes []uint64) []byte {
	var ranks [4096]int
	for _, h := range hashes {
		rank := min(bits.LeadingZeros64(h<<12), 52) + 1
		ranks[h>>52] = max(ranks[h>>52], rank)
	}
	var b []byte
	zeros := 0
	for _, rank := range ranks {
		if rank == 0 {
			zeros++
			continue
		}
		b = binary.AppendUvarint(b, uint64(zeros*64+rank))
		zeros = 0
	}
	return b
}

func TestDistinctMergesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 10, 600, 1100, 1176, 1300, 9000}).Draw(t, "subjects")
		hashes := subjects(rapid.Uint64().Draw(t, "seed"), n)
		hashes = append(hashes, rapid.SliceOfN(rapid.Uint64(), 0, 5).Draw(t, "hashes")...)
		want := naive(hashes)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		random.Shuffle(len(hashes), func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
		parts := make([]*sketch.Distinct, 1+random.IntN(6))
		for i := range parts {
			parts[i] = distinctOf(subjects(1, 3000*(i%2))...) // a used one, emptied
			parts[i].Reset()
		}
		for i, h := range hashes {
			parts[min(random.IntN(len(parts)), random.IntN(len(parts)))].Add(h)
			if i%3 == 0 { // twice, elsewhere
				parts[random.IntN(len(parts))].Add(h)
			}
		}
		for len(parts) > 1 {
			i, j := random.IntN(len(parts)), random.IntN(len(parts))
			parts[i].Merge(parts[j])
			if i != j {
				parts = slices.Delete(parts, j, j+1)
			}
		}
		if got := parts[0].Append(nil); !bytes.Equal(got, want) {
			t.Fatalf("got %x, want %x", got, want)
		}
		var d sketch.Distinct
		if err := d.Decode(want); err != nil || d.Estimate() != parts[0].Estimate() || !bytes.Equal(d.Append(nil), want) {
			t.Fatalf("decoded: %v, estimate %d, was %d", err, d.Estimate(), parts[0].Estimate())
		}
	})
}

// At 1,024 registers in use a state changes its form, by Add as by Merge.
func TestDistinctChangesForm(t *testing.T) {
	for n := uint64(1022); n <= 1026; n++ {
		hashes := make([]uint64, n)
		for i := range hashes {
			hashes[i] = uint64(i)<<52 | uint64(i)<<30
		}
		added, merged := distinctOf(hashes...), distinctOf(hashes[:n/2]...)
		merged.Merge(distinctOf(hashes[n/3:]...))
		halves := distinctOf(hashes[:n/2]...)
		halves.Merge(distinctOf(hashes[n/2:]...))
		for _, d := range []*sketch.Distinct{added, merged, halves} {
			if got, want := d.Append(nil), naive(hashes); !bytes.Equal(got, want) {
				t.Errorf("%d registers: got %x, want %x", n, got, want)
			}
		}
	}
}

// Itself, also when two of its lists do not fit a sparse one.
func TestDistinctMergesItself(t *testing.T) {
	for _, n := range []int{0, 7, 511, 600, 5000} {
		hashes := subjects(1, n)
		d := distinctOf(hashes...)
		d.Merge(d)
		if got, want := d.Append(nil), naive(hashes); !bytes.Equal(got, want) {
			t.Errorf("%d subjects: got %x, want %x", n, got, want)
		}
	}
}

// Within three standard errors of 1.04/√4096 at every size and seed, and
// without a bias over the seeds.
func TestDistinctEstimate(t *testing.T) {
	const sigma, seeds = 1.04 / 64, 20
	for _, n := range []int{1, 10, 100, 1_000, 1_200, 10_000, 100_000} {
		sum := 0.0
		for seed := range uint64(seeds) {
			got := float64(distinctOf(subjects(seed, n)...).Estimate())
			if off := got/float64(n) - 1; math.Abs(off) > 3*sigma {
				t.Errorf("seed %d: got %v of %d, %.1f %% off", seed, got, n, 100*off)
			}
			sum += got
		}
		if off := sum/seeds/float64(n) - 1; math.Abs(off) > 3*sigma/math.Sqrt(seeds) {
			t.Errorf("%d: the mean of %d seeds is %.2f %% off", n, seeds, 100*off)
		}
	}
}

func TestDistinctEmptyAndFull(t *testing.T) {
	d := distinctOf(subjects(1, 5000)...)
	d.Reset()
	d.Merge(new(sketch.Distinct))
	if d.Estimate() != 0 || len(d.Append(nil)) != 0 {
		t.Errorf("empty: estimate %d, bytes %x", d.Estimate(), d.Append(nil))
	}
	if err := d.Decode(nil); err != nil || d.Estimate() != 0 {
		t.Errorf("no bytes: %v, estimate %d", err, d.Estimate())
	}
	full := bytes.Repeat([]byte{53}, 4096)
	if err := d.Decode(full); err != nil || d.Estimate() != math.MaxUint64 || !bytes.Equal(d.Append(nil), full) {
		t.Errorf("full: %v, estimate %d", err, d.Estimate())
	}
}

// Golden bytes and estimates: changelogs, results and lakes hold them, of all
// machines. XXH64 of nothing and of "abc" stand in its own documentation.
func TestDistinctGolden(t *testing.T) {
	for text, want := range map[string]uint64{"": 0xef46db3751d8e999, "abc": 0x44bc2cf5ad770999, "LAX": 0x84c4f23987c0ea41} {
		if got := sketch.Hash([]byte(text)); got != want {
			t.Errorf("hash of %q: got %#x, want %#x", text, got, want)
		}
	}
	d := distinctOf(subjects(1, 10)...)
	d.Add(0)
	if got, want := hex.EncodeToString(d.Append(nil)), "3582b7028127c38a02830882a601c1bb0382df018170c2a501c18401"; got != want {
		t.Errorf("got  %s, want %s", got, want)
	}
	for n, want := range map[int]uint64{1: 1, 10: 10, 1_000: 1004, 10_000: 9669, 100_000: 102364, 1_000_000: 979384} {
		d := distinctOf(subjects(1, n)...)
		if got := d.Estimate(); got != want {
			t.Errorf("estimate of %d: got %d, want %d", n, got, want)
		}
	}
}

func TestDistinctRefuses(t *testing.T) {
	f := func(in, why string) {
		t.Helper()
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		d := distinctOf(1, 1<<63)
		if err := d.Decode(b); err == nil || !strings.Contains(err.Error(), why) || d.Estimate() != 0 {
			t.Errorf("%.40s: got %v and estimate %d, want an error with %q", in, err, d.Estimate(), why)
		}
	}
	f("80", "varint")   // cut short
	f("0180", "varint") // cut short later
	f("8100", "varint") // 1 in two bytes
	f("ffffffffffffffffffff01", "varint")
	f("00", "register 0 has rank 0")
	f("0140", "register 2 has rank 0")
	f("36", "register 0 has rank 54")
	f("818010", "above 4095")               // register 4096
	f("c1ff0f"+"01", "above 4095")          // register 4095, then another
	f("ffffffffffffffffff01", "above 4095") // far away
	f(strings.Repeat("01", 4097), "above 4095")
}

func FuzzDistinctDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(distinctOf(subjects(1, 20)...).Append(nil))
	f.Add(distinctOf(subjects(1, 3000)...).Append(nil))
	f.Add([]byte{0x80, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, o := distinctOf(subjects(1, 3000)...), new(sketch.Distinct)
		if d.Decode(b) != nil {
			return
		}
		if got := d.Append(nil); !bytes.Equal(got, b) {
			t.Fatalf("%x decodes to what appends as %x", b, got)
		}
		o.Merge(d)
		o.Merge(d)
		if got := o.Append(nil); !bytes.Equal(got, b) || o.Estimate() != d.Estimate() {
			t.Fatalf("%x merges as %x", b, got)
		}
	})
}

func TestDistinctAllocates(t *testing.T) {
	for _, n := range []int{7, 2000} {
		hashes := subjects(1, n)
		d, o, buf := distinctOf(hashes...), distinctOf(hashes...), make([]byte, 0, 4096)
		want := d.Estimate()
		if got := testing.AllocsPerRun(10, func() {
			d.Reset()
			for _, h := range hashes {
				d.Add(h)
			}
			d.Merge(o)
			if d.Decode(d.Append(buf)) != nil || d.Estimate() != want {
				t.Fatal("wrong")
			}
		}); got != 0 {
			t.Errorf("%d subjects: %v allocations, want 0", n, got)
		}
	}
}

func BenchmarkDistinctAdd(b *testing.B) {
	for name, n := range map[string]int{"cell of 7": 7, "cell of 300": 300, "cell of 10000": 10_000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hashes := subjects(1, n)
			var d sketch.Distinct
			for i := 0; b.Loop(); i++ {
				if i%n == 0 {
					d.Reset()
				}
				d.Add(hashes[i%n])
			}
		})
	}
}

func BenchmarkDistinctMerge(b *testing.B) {
	benchmarkMerge(b, func(n int, seed uint64) *sketch.Distinct { return distinctOf(subjects(seed, n)...) })
}

func BenchmarkDistinctDecode(b *testing.B) {
	for _, n := range []int{7, 300, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			var d sketch.Distinct
			encoded := distinctOf(subjects(1, n)...).Append(nil)
			for b.Loop() {
				if err := d.Decode(encoded); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDistinctEstimate(b *testing.B) {
	b.ReportAllocs()
	d := distinctOf(subjects(1, 10_000)...)
	for b.Loop() {
		d.Estimate()
	}
}
