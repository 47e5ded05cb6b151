package generator

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"parallax.example/internal/parquet"
)

// Ensure that the table has every message, and the events' values.
func TestExport(t *testing.T) {
	c := newConfig(t)
	c.Limit = 9000
	run(t, c)
	to := filepath.Join(t.TempDir(), "ledger.parquet")
	info, err := ExportFile(c.Ledger, to)
	must(t, err)
	file, err := os.ReadFile(to)
	must(t, err)
	f, err := parquet.Open(bytes.NewReader(file), int64(len(file)))
	must(t, err)
	if f.Rows() != 9004 || info.OK != 9004 {
		t.Fatalf("%d rows, %+v", f.Rows(), info)
	}
	var sum int64
	values, valid := make([]int64, f.Rows()), make([]bool, f.Rows())
	var r parquet.ColumnReader
	must(t, r.Open(f, 0, f.Schema().Index("value")))
	if _, err := r.Int64(values, valid); err != nil {
		t.Fatal(err)
	}
	nulls := 0
	for i, v := range values {
		sum += v
		if !valid[i] {
			nulls++
		}
	}
	var want int64
	for _, row := range newGenerator(t, c).source.(*flights).rows {
		want += int64(row.delay)
	}
	if sum != want || nulls != 4 {
		t.Errorf("the values sum up to %d with %d nulls, want %d with 4", sum, nulls, want)
	}
	if _, err := ExportFile(c.Ledger, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("over an existing file: %v", err)
	}
}
