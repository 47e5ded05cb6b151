package generator

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"parallax.example/internal/event"
	"parallax.example/internal/parquet"
)

// table is a flights file in memory, in the order of its rows.
type table struct {
	rows     []flight
	airports [][]byte
	codes    map[string]uint32
}

// The columns of a flights file. The published data set calls the time date.
var flightColumns = [...][]string{{"scheduled", "date"}, {"delay"}, {"origin"}, {"destination"}}

func readFlights(file []byte) (*table, error) {
	f, err := parquet.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	var columns [len(flightColumns)]int
	for i, names := range flightColumns {
		text := i >= 2
		if columns[i], err = column(f, text, names...); err != nil {
			return nil, fmt.Errorf("%w; a flights file has scheduled (or date), delay, origin and destination", err)
		}
	}
	if f.Rows() == 0 {
		return nil, errors.New("it holds no flights")
	}
	t := &table{codes: map[string]uint32{}}
	for group := range f.Groups() {
		if err := t.group(f, group, columns); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// column finds the first column of one of these names and checks its kind.
func column(f *parquet.File, text bool, names ...string) (int, error) {
	for _, name := range names {
		i := f.Schema().Index(name)
		if i < 0 {
			continue
		}
		kind := f.Schema()[i].Kind
		isText := kind == parquet.String || kind == parquet.Bytes
		if kind == parquet.Other || isText != text {
			return 0, fmt.Errorf("column %q has kind %s", name, kind)
		}
		return i, nil
	}
	return 0, fmt.Errorf("column %q is missing", names[0])
}

// group appends a row group. Rows are counted from 0 over the whole file.
func (t *table) group(f *parquet.File, group int, columns [len(flightColumns)]int) error {
	first := len(t.rows)
	if err := integers(f, group, columns[0], first, func(row int, v int64) error {
		if v < event.MinTime || v >= event.EndTime {
			return fmt.Errorf("row %d: the time %d µs is not from 1970 to 2200", row, v)
		}
		t.rows = append(t.rows, flight{scheduled: v})
		return nil
	}); err != nil {
		return err
	}
	if err := integers(f, group, columns[1], first, func(row int, v int64) error {
		if v < -maxDelay || v > maxDelay {
			return fmt.Errorf("row %d: a delay of %d minutes is more than ten years", row, v)
		}
		t.rows[row].delay = int32(v)
		return nil
	}); err != nil {
		return err
	}
	if err := t.codesOf(f, group, columns[2], func(row int, code uint32) { t.rows[first+row].origin = code }); err != nil {
		return err
	}
	return t.codesOf(f, group, columns[3], func(row int, code uint32) { t.rows[first+row].destination = code })
}

// codesOf calls set with the airport of every row of the group.
func (t *table) codesOf(f *parquet.File, group, column int, set func(row int, code uint32)) error {
	name, first := f.Schema()[column].Name, len(t.rows)-int(f.GroupRows(group))
	codes := make([]int32, chunkRows)
	var own []uint32 // our code of each code of the chunk's dictionary
	return chunks(f, group, column, func(r *parquet.ColumnReader, row, most int) (int, error) {
		n, err := r.Codes(codes[:most])
		for len(own) < r.Dict().Len() {
			code, err := t.airport(r.Dict().Value(int32(len(own))))
			if err != nil {
				return 0, fmt.Errorf("column %q: %w", name, err)
			}
			own = append(own, code)
		}
		for i, code := range codes[:n] {
			if code < 0 {
				return 0, fmt.Errorf("row %d has no %s", first+row+i, name)
			}
			set(row+i, own[code])
		}
		return n, err
	})
}

// airport is the code of a name, over all row groups and both columns.
func (t *table) airport(name []byte) (uint32, error) {
	if code, ok := t.codes[string(name)]; ok {
		return code, nil
	}
	if len(name) == 0 || len(name) > event.MaxKey || !utf8.Valid(name) {
		return 0, fmt.Errorf("%.40q is no airport: it must be 1 to %d bytes of UTF-8", name, event.MaxKey)
	}
	code := uint32(len(t.airports))
	t.airports = append(t.airports, bytes.Clone(name))
	t.codes[string(name)] = code
	return code, nil
}
