package result_test

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

func row() (view.Span, []byte, result.Agg) {
	var a result.Agg
	for _, v := range []int64{-3, 14, 7} {
		a.Add(v)
	}
	return view.Span{Start: 992217600000000, End: 992221200000000}, []byte("JFK"), a
}

func someResult() result.Result {
	span, key, agg := row()
	return result.Result{
		Place: result.Place{Partition: 3, Offset: 4711, Scheduled: 1700000000123, Transaction: 9, Ordinal: 2},
		View:  []byte("hourly@0123456789abcdef"), Stage: result.Final, Watermark: 992224800000001,
		Span: span, Key: key, Agg: agg,
	}
}

func someExclusion() result.Exclusion {
	r := someResult()
	return result.Exclusion{Place: r.Place, Cause: result.Late, View: r.View, Span: r.Span, Watermark: -1, Event: []byte("{}")}
}

func someDeadLetter() result.DeadLetter {
	return result.DeadLetter{Place: someResult().Place, Topic: "parallax.events", Reason: "malformed", Detail: "not JSON", Raw: []byte{0, 255}, Size: 2}
}

// Golden bytes: the canonical row decides sameness, and topics outlive programs.
func TestGolden(t *testing.T) {
	span, key, agg := row()
	r, x, d := someResult(), someExclusion(), someDeadLetter()
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"row", result.AppendRow(nil, span, key, &agg), goldenRow},
		{"key", result.AppendKey(nil, r.View, key, span.Start, 3), "0a17686f75726c79403031323334353637383961626364656612034a464b19008096a96a8603002003"},
		{"result", r.Append(nil), "0801" + goldenPlace + "1a17686f75726c79403031323334353637383961626364656620043082" + "a0eeeb8a9bc3033a44" + goldenRow},
		{"exclusion", x.Append(nil), "0801" + goldenPlace + "18012217686f75726c79403031323334353637383961626364656629008096a96a86030031" + "00242a806b860300" + "380142027b7d"},
		{"dead letter", d.Append(nil), "0801" + goldenPlace + "1a0f706172616c6c61782e6576656e747322096d616c666f726d65642a086e6f74204a534f4e320200ff3802"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

const (
	goldenRow   = "09008096a96a8603001100242a806b8603001a034a464b2103000000000000002900000000000000003112000000000000" + "0039fdffffffffffffff410e00000000000000"
	goldenPlace = "12100803" + "10e724" + "18f6a1abfef962" + "20092802"
)

func TestRoundTrip(t *testing.T) {
	r, x, d := someResult(), someExclusion(), someDeadLetter()
	var gotR result.Result
	var gotX result.Exclusion
	var gotD result.DeadLetter
	if err := errors.Join(gotR.Decode(r.Append(nil)), gotX.Decode(x.Append(nil)), gotD.Decode(d.Append(nil))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, gotR) + cmp.Diff(x, gotX) + cmp.Diff(d, gotD); diff != "" {
		t.Error(diff)
	}
}

func TestDeadLetterIsBounded(t *testing.T) {
	d := someDeadLetter()
	d.Raw = make([]byte, 1<<20)
	var got result.DeadLetter
	if err := got.Decode(d.Append(nil)); err != nil || len(got.Raw) != result.MaxRaw {
		t.Errorf("kept %d bytes, %v", len(got.Raw), err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := someResult()
	f := func(b []byte, want string) {
		t.Helper()
		var r result.Result
		if err := r.Decode(b); err == nil || err.Error() != "cannot decode result: "+want {
			t.Errorf("%x: got %v, want %q", b, err, want)
		}
	}
	version := good.Append(nil)
	version[1] = 2
	f(version, "unknown version 2, this program reads version 1")
	var r result.Result
	if err := r.Decode(version); !errors.Is(err, result.ErrVersion) {
		t.Errorf("%v is not ErrVersion", err)
	}
	bad := good
	bad.Stage = 3
	f(bad.Append(nil), "stage 3 is not known")
	bad.Stage = 6
	f(bad.Append(nil), "stage 6 is not known")
	bad.Stage = result.Retracted
	f(bad.Append(nil), "a retracted row counts events")
	bad = good
	bad.Agg = result.Agg{}
	f(bad.Append(nil), "the row counts no event")
	f([]byte{0x09, 1, 0, 0, 0, 0, 0, 0, 0}, "field 1 has wire type 1")
	f(nil, "stage 0 is not known")
	whole := good.Append(nil)
	f(whole[:len(whole)-1], "unexpected EOF")
}

// Any order and any split of the same values gives the same bytes, and the
// figures that big integers give.
func TestAggIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, -1, 1})), 1, 40).Draw(t, "values")
		var whole result.Agg
		want := new(big.Int)
		for _, v := range values {
			whole.Add(v)
			want.Add(want, big.NewInt(v))
		}
		if whole.BigSum().Cmp(want) != 0 {
			t.Fatalf("sum %v, want %v", whole.BigSum(), want)
		}
		if sum, fits := whole.Sum(); fits != want.IsInt64() || (fits && sum != want.Int64()) {
			t.Fatalf("sum %d fits %v, want %v", sum, fits, want)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		parts := make([]result.Plain, rapid.IntRange(1, 5).Draw(t, "parts"))
		for _, i := range rng.Perm(len(values)) {
			parts[rng.IntN(len(parts))].Add(values[i])
		}
		var merged result.Plain
		for _, p := range parts {
			merged.Merge(p)
		}
		if merged != whole.Plain {
			t.Fatalf("merged %+v, want %+v", merged, whole)
		}
	})
}

// Sameness is equality of the canonical bytes, and == says the same.
func TestSameness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.SliceOfN(rapid.Int64Range(-2, 2), 1, 4)
		var a, b result.Agg
		for _, v := range small.Draw(t, "a") {
			a.Add(v)
		}
		for _, v := range small.Draw(t, "b") {
			b.Add(v)
		}
		bytes := func(a result.Agg) string { return string(result.AppendRow(nil, view.Span{}, []byte("k"), &a)) }
		if (a == b) != (bytes(a) == bytes(b)) {
			t.Fatalf("%+v and %+v: == says %v, the bytes %v", a, b, a == b, bytes(a) == bytes(b))
		}
	})
}

func TestMean(t *testing.T) {
	var a result.Agg
	if a.Mean() != 0 {
		t.Error("an empty row has a mean")
	}
	for range 3 {
		a.Add(math.MaxInt64) // the sum does not fit 64 bits
	}
	if got := a.Mean(); got != float64(math.MaxInt64) {
		t.Errorf("mean %v", got)
	}
}

// The official library reads our messages by result.proto, and we read what it writes.
func TestOfficialLibraryReadsOurs(t *testing.T) {
	c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"."}}}
	files, err := c.Compile(context.Background(), "result.proto")
	if err != nil {
		t.Fatal(err)
	}
	through := func(name protoreflect.Name, ours []byte) []byte {
		m := dynamicpb.NewMessage(files[0].Messages().ByName(name))
		if err := proto.Unmarshal(ours, m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(m.GetUnknown()) > 0 {
			t.Errorf("%s: %d bytes are unknown to result.proto", name, len(m.GetUnknown()))
		}
		theirs, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return theirs
	}
	r, x, d := someResult(), someExclusion(), someDeadLetter()
	var gotR result.Result
	var gotX result.Exclusion
	var gotD result.DeadLetter
	if err := errors.Join(gotR.Decode(through("Result", r.Append(nil))), gotX.Decode(through("Exclusion", x.Append(nil))),
		gotD.Decode(through("DeadLetter", d.Append(nil)))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, gotR) + cmp.Diff(x, gotX) + cmp.Diff(d, gotD); diff != "" {
		t.Error(diff)
	}
}

func fuzz[T any](f *testing.F, seed []byte, decode func(*T, []byte) error, encode func(*T) []byte) {
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again T
		if decode(&m, b) != nil {
			return
		}
		if err := decode(&again, encode(&m)); err != nil || !cmp.Equal(m, again, cmpopts.EquateEmpty()) {
			t.Fatalf("re-encoded: %v\n%s", err, cmp.Diff(m, again))
		}
	})
}

func FuzzResult(f *testing.F) {
	r := someResult()
	fuzz(f, r.Append(nil), (*result.Result).Decode, func(r *result.Result) []byte { return r.Append(nil) })
}

func FuzzExclusion(f *testing.F) {
	x := someExclusion()
	fuzz(f, x.Append(nil), (*result.Exclusion).Decode, func(x *result.Exclusion) []byte { return x.Append(nil) })
}

func FuzzDeadLetter(f *testing.F) {
	d := someDeadLetter()
	fuzz(f, d.Append(nil), (*result.DeadLetter).Decode, func(d *result.DeadLetter) []byte {
		d.Raw = d.Raw[:min(len(d.Raw), result.MaxRaw)]
		return d.Append(nil)
	})
}

func BenchmarkAppendResult(b *testing.B) {
	r := someResult()
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = r.Append(buf[:0])
	}
}

// Any order and any split of the same events, folded and merged as rows, gives
// the same bytes, and they are read back as they were.
func TestFoldIsExact(t *testing.T) {
	f, err := view.Parse("v", []byte("views: [{name: a, window: {tumbling: 1h}, aggregates: [count, p50, distinct]}, {name: b, window: {session: 1h}}]"))
	if err != nil {
		t.Fatal(err)
	}
	v, plain := &f.Views[0], &f.Views[1]
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64(), 1, 60).Draw(t, "values")
		subject := func(i int) []byte { return []byte{byte(values[i] % 7)} }
		whole, bare := result.NewFold(v), result.NewFold(plain)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		parts := []*result.Fold{result.NewFold(v), result.NewFold(v), result.NewFold(v)}
		for i, value := range values {
			whole.Event(value, subject(i))
			bare.Event(value, subject(i))
		}
		for _, i := range rng.Perm(len(values)) {
			parts[rng.IntN(len(parts))].Event(values[i], subject(i))
		}
		merged := result.NewFold(v)
		for _, p := range parts {
			row := p.Agg()
			merged.Row(&row)
		}
		want := whole.Agg()
		if merged.Agg() != want {
			t.Fatalf("merged %+v, want %+v", merged.Agg(), want)
		}
		if a := bare.Agg(); a.Plain != want.Plain || a.Quantiles != "" || a.Distinct != "" {
			t.Fatalf("a view that asks for no sketch has %+v", a)
		}
		r := someResult()
		r.Agg = want
		var back result.Result
		if err := back.Decode(r.Append(nil)); err != nil || back.Agg != want {
			t.Fatalf("%v: read back %+v, want %+v", err, back.Agg, want)
		}
	})
}

func TestDecodeRefusesSketches(t *testing.T) {
	f, err := view.Parse("v", []byte("views: [{name: a, window: {tumbling: 1h}, aggregates: [p99, distinct]}]"))
	if err != nil {
		t.Fatal(err)
	}
	fold := result.NewFold(&f.Views[0])
	fold.Event(5, []byte("x"))
	good := someResult()
	good.Agg = fold.Agg()
	for name, tamper := range map[string]func(*result.Agg){
		"no histogram":         func(a *result.Agg) { a.Quantiles = "?" },
		"another count":        func(a *result.Agg) { a.Count++ },
		"no sketch":            func(a *result.Agg) { a.Distinct += "?" },
		"a histogram too long": func(a *result.Agg) { a.Quantiles += a.Quantiles },
	} {
		bad := good
		tamper(&bad.Agg)
		var r result.Result
		if r.Decode(bad.Append(nil)) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
