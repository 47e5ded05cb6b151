package generator

import (
	"errors"
	"fmt"
	"io"

	"parallax.example/internal/parquet"
)

// chunkRows are read at once. A file's own claim of how many rows it holds is
// not believed: memory grows with the rows that really come.
const chunkRows = 4096

// chunks reads one column of a row group: read fills a chunk from a position of
// the group and says how many rows came. All rows that the group claims must come.
func chunks(f *parquet.File, group, column int, read func(r *parquet.ColumnReader, row, most int) (int, error)) error {
	var r parquet.ColumnReader
	if err := r.Open(f, group, column); err != nil {
		return err
	}
	total := f.GroupRows(group)
	for row := int64(0); row < total; {
		n, err := read(&r, int(row), int(min(chunkRows, total-row)))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			return fmt.Errorf("column %q of row group %d ends after %d of %d rows", f.Schema()[column].Name, group, row, total)
		}
		row += int64(n)
	}
	return nil
}

// integers calls each with every value of an integer column, rows counted from
// first. A null is an error.
func integers(f *parquet.File, group, column, first int, each func(row int, v int64) error) error {
	values, valid := make([]int64, chunkRows), make([]bool, chunkRows)
	return chunks(f, group, column, func(r *parquet.ColumnReader, row, most int) (int, error) {
		n, err := r.Int64(values[:most], valid[:most])
		for i := range n {
			if !valid[i] {
				return 0, fmt.Errorf("row %d has no %s", first+row+i, f.Schema()[column].Name)
			}
			if err := each(first+row+i, values[i]); err != nil {
				return 0, err
			}
		}
		return n, err
	})
}
