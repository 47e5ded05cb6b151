package arrow_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/arrow"
)

var fields = []arrow.Field{{Name: "a", Kind: arrow.Int64}, {Name: "b", Kind: arrow.Uint64}, {Name: "c", Kind: arrow.Binary}}

type row struct {
	A int64
	B uint64
	C string
}

func write(t testing.TB, batches [][]row) []byte {
	t.Helper()
	var out bytes.Buffer
	w := arrow.NewWriter(&out, fields)
	for _, batch := range batches {
		for _, r := range batch {
			w.Int64(0, r.A)
			w.Uint64(1, r.B)
			w.Binary(2, []byte(r.C))
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(b []byte) (rows []row, err error) {
	r, err := arrow.NewReader(bytes.NewReader(b), fields)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		batch, err := r.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		for i := range batch.Len() {
			rows = append(rows, row{batch.Int64(0)[i], batch.Uint64(1)[i], string(batch.Binary(2, i))})
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) row {
		return row{rapid.Int64().Draw(t, "a"), rapid.Uint64().Draw(t, "b"), string(rapid.SliceOf(rapid.Byte()).Draw(t, "c"))}
	})
	rapid.Check(t, func(rt *rapid.T) {
		batches := rapid.SliceOfN(rapid.SliceOf(one), 0, 4).Draw(rt, "batches")
		var want []row
		for _, b := range batches {
			want = append(want, b...)
		}
		b := write(t, batches)
		got, err := read(b)
		if err != nil || !cmp.Equal(want, got) {
			rt.Fatalf("%v; (-want +got):\n%s", err, cmp.Diff(want, got))
		}
		if !bytes.Equal(b, write(t, batches)) {
			rt.Fatal("the same batches gave other bytes")
		}
	})
}

// TestCutOffStream cuts everywhere: an error, or whole batches from the first on.
func TestCutOffStream(t *testing.T) {
	want := []row{{1, 2, "three"}, {4, 5, "six"}}
	whole := write(t, [][]row{want[:1], want[1:]})
	errors := 0
	for n := range whole {
		rows, err := read(whole[:n])
		if err != nil {
			errors++
		} else if !cmp.Equal(rows, want[:len(rows)]) && len(rows) > 0 {
			t.Errorf("the first %d of %d bytes gave %v", n, len(whole), rows)
		}
	}
	if errors < len(whole)*9/10 {
		t.Errorf("only %d of %d cuts gave an error", errors, len(whole))
	}
}

func TestOtherColumns(t *testing.T) {
	b := write(t, nil)
	for _, f := range [][]arrow.Field{fields[:2], {fields[0], fields[1], {Name: "x", Kind: arrow.Binary}}, {fields[0], fields[1], {Name: "c", Kind: arrow.Int64}}} {
		if _, err := arrow.NewReader(bytes.NewReader(b), f); err == nil {
			t.Errorf("%v: no error", f)
		}
	}
}
