package sketch_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parallax.example/internal/sketch"
)

// anyValue draws values of all magnitudes, and some again and again.
func anyValue() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64(),
		rapid.Int64Range(-300, 300),
		rapid.SampledFrom([]int64{0, 127, 128, -127, -128, math.MinInt64, math.MinInt64 + 1, math.MaxInt64}),
	)
}

func histogramOf(values ...int64) *sketch.Histogram {
	h := new(sketch.Histogram)
	for _, v := range values {
		h.Add(v)
	}
	return h
}

func TestHistogramMergesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(anyValue(), 0, 300).Draw(t, "values")
		want := histogramOf(values...).Append(nil)
		shuffled := rapid.Permutation(values).Draw(t, "shuffled")
		parts := make([]*sketch.Histogram, rapid.IntRange(1, 8).Draw(t, "parts"))
		for i := range parts {
			parts[i] = histogramOf(1, 2, 3) // a used one, emptied
			parts[i].Reset()
		}
		for _, v := range shuffled {
			parts[rapid.IntRange(0, len(parts)-1).Draw(t, "part")].Add(v)
		}
		for len(parts) > 1 {
			i := rapid.IntRange(0, len(parts)-2).Draw(t, "into")
			parts[i].Merge(parts[i+1])
			parts = slices.Delete(parts, i+1, i+2)
		}
		if got := parts[0].Append(nil); !bytes.Equal(got, want) {
			t.Fatalf("got %x, want %x", got, want)
		}
	})
}

func TestHistogramQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(anyValue(), 1, 300).Draw(t, "values")
		h := histogramOf(values...)
		slices.Sort(values)
		for percent := 1; percent <= 100; percent++ {
			exact := values[(len(values)*percent+99)/100-1]
			if got := h.Quantile(percent); h.Count() != uint64(len(values)) || !near(got, exact) {
				t.Fatalf("p%d of %d values: got %d, exact is %d", percent, h.Count(), got, exact)
			}
		}
	})
}

// near reports whether got is within 1/128 of exact, and equal below 128.
func near(got, exact int64) bool {
	off := new(big.Int).Sub(big.NewInt(got), big.NewInt(exact))
	bound := new(big.Int).Abs(big.NewInt(exact))
	return off.Abs(off).Lsh(off, 7).Cmp(bound) <= 0 && (got == exact || bound.IsInt64() && bound.Int64() >= 128)
}

// Each of all 7,424 buckets: its representative is in it, and they ascend.
func TestHistogramBuckets(t *testing.T) {
	last, buckets := int64(math.MinInt64), 0
	for number := int64(-3712); number <= 3711; number++ {
		var h sketch.Histogram
		if err := h.Decode(append(binary.AppendVarint(nil, number), 1)); err != nil {
			t.Fatal(err)
		}
		v := h.Quantile(50)
		if number > -3712 && v <= last || !bytes.Equal(h.Append(nil), histogramOf(v).Append(nil)) {
			t.Fatalf("bucket %d is represented by %d, the one before by %d", number, v, last)
		}
		last = v
		buckets++
	}
	if first := histogramOf(math.MinInt64).Quantile(1); first != math.MinInt64 || buckets != 7424 {
		t.Errorf("the first of %d buckets is represented by %d", buckets, first)
	}
}

func TestHistogramEmpty(t *testing.T) {
	h := histogramOf(5)
	h.Reset()
	h.Merge(new(sketch.Histogram))
	if h.Count() != 0 || h.Quantile(50) != 0 || len(h.Append(nil)) != 0 {
		t.Errorf("got %d values, p50 %d, bytes %x", h.Count(), h.Quantile(50), h.Append(nil))
	}
	if err := h.Decode(nil); err != nil || h.Count() != 0 {
		t.Errorf("no bytes: %v, %d values", err, h.Count())
	}
}

func TestHistogramMergesItself(t *testing.T) {
	h := histogramOf(-1, 7, 7, 900)
	h.Merge(h)
	if got, want := h.Append(nil), histogramOf(7, 7, 7, 7, 900, 900, -1, -1).Append(nil); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// A count that cannot grow stays, by Add and by Merge, and ranks do not overflow.
func TestHistogramFull(t *testing.T) {
	full := binary.AppendUvarint([]byte{0x02}, 1<<51-1) // the value 1
	h := new(sketch.Histogram)
	if err := h.Decode(full); err != nil {
		t.Fatal(err)
	}
	h.Add(1)
	h.Merge(histogramOf(1, 1))
	h.Merge(h)
	if got := h.Append(nil); !bytes.Equal(got, full) {
		t.Errorf("got %x, want %x", got, full)
	}
	all := new(sketch.Histogram)
	for number := int64(-3712); number <= 3711; number++ {
		if err := h.Decode(binary.AppendUvarint(binary.AppendVarint(nil, number), 1<<51-1)); err != nil {
			t.Fatal(err)
		}
		all.Merge(h)
	}
	if got := all.Count(); got != 7424*(1<<51-1) {
		t.Errorf("counts %d", got)
	}
	if low, mid, high := all.Quantile(1), all.Quantile(50), all.Quantile(100); low >= -1e18 || mid != -1 || high <= 9e18 {
		t.Errorf("p1 %d, p50 %d, p100 %d", low, mid, high)
	}
}

// Golden bytes: changelogs, results and lakes hold them, of all machines.
func TestHistogramGolden(t *testing.T) {
	h := histogramOf(-3, 14, 14, 127, 128, 129, 130, -1000, 86_400_000_000, math.MaxInt64, math.MinInt64)
	for v := int64(1); v < 1e18; v *= 3 {
		h.Add(-v)
	}
	const want = "ff39019d020161016a01620168016501630169016101690165016501670161016a016301670166016201690161016901" +
		"65016501670161016a016301670166016201470122016201680136011201060202010f02710101020101cf0e01af0d01"
	if got := hex.EncodeToString(h.Append(nil)); got != want {
		t.Errorf("got  %s, want %s", got, want)
	}
	for percent, want := range map[int]int64{1: math.MinInt64, 10: -16677392370106367, 50: -4751359, 75: -27, 90: 128, 95: 130, 100: 9187343239835811839} {
		if got := h.Quantile(percent); got != want {
			t.Errorf("p%d: got %d, want %d", percent, got, want)
		}
	}
}

func TestHistogramRefuses(t *testing.T) {
	f := func(in, why string) {
		t.Helper()
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		h := histogramOf(1, 2)
		if err := h.Decode(b); err == nil || !strings.Contains(err.Error(), why) || h.Count() != 0 {
			t.Errorf("%s: got %v and %d values, want an error with %q", in, err, h.Count(), why)
		}
	}
	f("00", "varint")                       // no count
	f("80", "varint")                       // cut short
	f("0001"+"80", "varint")                // cut short later
	f("800001", "varint")                   // 0 in two bytes
	f("008100", "varint")                   // 1 in two bytes
	f("ffffffffffffffffffff0101", "varint") // more than 64 bits
	f("0000", "counts 0")
	f("00"+"8080808080808004", "counts 2251799813685248")
	f("0001"+"0001", "twice")
	f("813a"+"01", "-3712") // number -3713
	f("803a"+"01", "3711")  // number 3712
	f("ffffffffffffffffff01"+"01", "3711")
	f("fe39"+"01"+"0101", "3711") // 3711, then one more
	f("ff39"+"01"+"ffffffffffffffffff01"+"01", "3711")
}

func FuzzHistogramDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(histogramOf(1, 2, 1000, -50).Append(nil))
	f.Add([]byte{0x80, 0x00, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again sketch.Histogram
		if h.Decode(b) != nil {
			return
		}
		if got := h.Append(nil); !bytes.Equal(got, b) {
			t.Fatalf("%x decodes to what appends as %x", b, got)
		}
		again.Merge(&h)
		if got := again.Append(nil); !bytes.Equal(got, b) || h.Quantile(1) > h.Quantile(100) {
			t.Fatalf("%x merges as %x", b, got)
		}
	})
}

func TestHistogramAllocates(t *testing.T) {
	h := histogramOf(1, 2, 3, 1e6)
	o := histogramOf(2, 1e6)
	var buf [64]byte
	if n := testing.AllocsPerRun(100, func() {
		h.Reset()
		h.Add(1e6)
		h.Add(3)
		h.Merge(o)
		if h.Decode(h.Append(buf[:0])) != nil || h.Quantile(50) != 3 {
			t.Fatal("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkHistogramAdd(b *testing.B) {
	run := func(name string, each int, value func(i int) int64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			values := make([]int64, 1<<14)
			for i := range values {
				values[i] = value(i)
			}
			var h sketch.Histogram
			for i := 0; b.Loop(); i++ {
				if i%each == 0 {
					h.Reset()
				}
				h.Add(values[i%len(values)])
			}
		})
	}
	random := func(i int) int64 { return int64(sketch.Hash([]byte{byte(i), byte(i >> 8)})) }
	run("cell of 7", 7, func(i int) int64 { return random(i) >> 56 })
	run("cell of 1000", 1000, func(i int) int64 { return random(i) >> 56 })
	run("all buckets", 1<<62, random)
}

func BenchmarkHistogramMerge(b *testing.B) {
	benchmarkMerge(b, func(n int, seed uint64) *sketch.Histogram {
		h := new(sketch.Histogram)
		for _, hash := range subjects(seed, n) {
			h.Add(int64(hash>>54) - 512)
		}
		return h
	})
}

// benchmarkMerge merges two sketches of some events, of sizes as those of a
// pane, of the sum of some, and of a window. They are not the same two again and
// again: a processor would learn by heart which way each branch goes.
func benchmarkMerge[S interface {
	Reset()
	Merge(S)
}](b *testing.B, of func(events int, seed uint64) S) {
	for _, sizes := range [][2]int{{7, 7}, {300, 0}, {0, 300}, {300, 7}, {7, 300}, {300, 300}, {60, 25}, {25, 60}, {10_000, 10_000}} {
		b.Run(fmt.Sprintf("%d into %d", sizes[1], sizes[0]), func(b *testing.B) {
			b.ReportAllocs()
			var pairs [64][2]S
			for i := range pairs {
				pairs[i] = [2]S{of(sizes[0], uint64(2*i)), of(sizes[1], uint64(2*i+1))}
			}
			sum := of(0, 0)
			for i := 0; b.Loop(); i++ {
				sum.Reset()
				sum.Merge(pairs[i%64][0])
				sum.Merge(pairs[i%64][1])
			}
		})
	}
}

func BenchmarkHistogramDecode(b *testing.B) {
	b.ReportAllocs()
	var h sketch.Histogram
	for i := range int64(300) {
		h.Add(i * i)
	}
	encoded := h.Append(nil)
	for b.Loop() {
		if err := h.Decode(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
