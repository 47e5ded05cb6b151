package arrow_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/arrow"
)

var columns = []string{"a", "b"}

type row struct{ A, B string }

func write(t testing.TB, batches [][]row) []byte {
	t.Helper()
	var out bytes.Buffer
	w := arrow.NewWriter(&out, columns)
	for _, batch := range batches {
		for _, r := range batch {
			w.Binary(0, []byte(r.A))
			w.Binary(1, []byte(r.B))
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
	r, err := arrow.NewReader(bytes.NewReader(b), columns)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		for i := range batch.Len() {
			rows = append(rows, row{string(batch.Binary(0, i)), string(batch.Binary(1, i))})
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) row {
		value := rapid.SliceOf(rapid.Byte())
		return row{string(value.Draw(t, "a")), string(value.Draw(t, "b"))}
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
	want := []row{{"one", "two"}, {"three", "four"}}
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
	for _, other := range [][]string{{"a"}, {"a", "x"}, {"a", "b", "c"}} {
		if _, err := arrow.NewReader(bytes.NewReader(b), other); err == nil {
			t.Errorf("%v: no error", other)
		}
	}
}
