package parquet

import (
	"math/rand/v2"
	"slices"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// Every bit width, and every length around the borders of mini-blocks and blocks.
func TestDecodesWhatIsDeltaEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(0, 64).Draw(t, "bits")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		values := make([]int64, rapid.IntRange(0, 600).Draw(t, "values"))
		for i := range values {
			values[i] = int64(r.Uint64()) >> (64 - max(1, bits))
			if bits == 0 {
				values[i] = -7
			}
		}
		src, err := pq.DeltaBinaryPacked.EncodeInt64(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]int64, len(values))
		scratch, err := decodeDelta(got, src, nil)
		if err != nil || !slices.Equal(got, values) {
			t.Fatalf("%v, %v instead of %v", err, got, values)
		}
		if len(values) > 0 {
			if _, err := decodeDelta(got[1:], src, scratch); err == nil {
				t.Fatal("one value less than the header declares is not refused")
			}
			cut := rapid.IntRange(0, len(src)-1).Draw(t, "cut")
			if _, err := decodeDelta(got, src[:cut:cut], scratch); err == nil && !slices.Equal(got, values) {
				t.Fatalf("%d of %d bytes gave %v", cut, len(src), got)
			}
		}
	})
}

func FuzzDecodeDelta(f *testing.F) {
	src, err := pq.DeltaBinaryPacked.EncodeInt64(nil, []int64{1, 2, 1 << 60, -1 << 63, 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src, 5)
	f.Add([]byte{128, 1, 4, 2, 0, 0, 64, 64, 64, 64}, 2)
	f.Fuzz(func(t *testing.T, src []byte, n int) {
		dst := make([]int64, min(max(0, n), 1<<12))
		_, err := decodeDelta(dst, src, nil)
		if err != nil {
			return
		}
		want, err := pq.DeltaBinaryPacked.DecodeInt64(nil, src)
		if err == nil && len(want) == len(dst) && !slices.Equal(dst, want) {
			t.Fatalf("%v instead of %v", dst, want)
		}
	})
}
