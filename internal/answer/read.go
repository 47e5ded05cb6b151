package answer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

const maxSuccess = 64 << 20 // bytes

// Answer is a complete job.
type Answer struct {
	Success Success
	root    *os.Root
}

// Open opens a job's folder and verifies every file that it lists.
func Open(folder string) (*Answer, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot open batch job: %w", err)
	}
	a := &Answer{root: root}
	if err := a.open(); err != nil {
		_ = root.Close() // the cause is told
		return nil, fmt.Errorf("cannot open batch job %q: %w", folder, err)
	}
	return a, nil
}

func (a *Answer) open() error {
	f, err := a.root.Open(SuccessName)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: the job is not complete; run it again", SuccessName)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSuccess))
	if err != nil {
		return err
	}
	if a.Success, err = DecodeSuccess(b); err != nil {
		return err
	}
	for i := range a.Success.Files {
		if err := a.verify(&a.Success.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

// DecodeSuccess reads the content of a _SUCCESS.json.
func DecodeSuccess(b []byte) (s Success, err error) {
	var v struct{ Version int }
	if err := json.Unmarshal(b, &v); err != nil {
		return s, fmt.Errorf("%s is not what a job writes: %w", SuccessName, err)
	}
	if v.Version != Version {
		return s, fmt.Errorf("it is of version %d, this program reads %d; run the batch again with the same release as this program", v.Version, Version)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s is not what a job writes: %w", SuccessName, err)
	}
	for _, f := range s.Files {
		if folder := path.Dir(f.Path); folder != RowsFolder && folder != JudgementsFolder {
			return s, fmt.Errorf("%s lists %q, which belongs to no table", SuccessName, f.Path)
		}
	}
	return s, nil
}

func (a *Answer) verify(f *File) error {
	if failpoint.Mutant("answer/unverified") {
		return nil
	}
	file, err := a.root.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != f.Size || got != f.SHA256 {
		return fmt.Errorf("%s has %d bytes with SHA-256 %s instead of %d with %s: the file was changed", f.Path, n, got, f.Size, f.SHA256)
	}
	return nil
}

// Close frees the folder's handle.
func (a *Answer) Close() error { return a.root.Close() }

// Rows yields every row, file by file. Within a file windows come by cell, A
// before B, and then sessions by key, partition, view, span and reading. An error
// of yield ends it and is returned.
func (a *Answer) Rows(yield func(*Row) error) error {
	views := a.views()
	var sketches sketchCheck
	return a.scan(RowsFolder, rowColumns, func(c *columns, i int) error {
		r := Row{
			Reading: Reading(c.text(0, i)),
			Cell: result.Cell{
				View:      views(c, 1, i),
				Key:       c.text(3, i),
				Span:      view.Span{Start: c.ints[4][i], End: c.ints[5][i]},
				Partition: int32(c.ints[6][i]),
			},
			Agg: result.Agg{Plain: result.Plain{
				Count: uint64(c.ints[7][i]), SumHigh: c.ints[8][i], SumLow: uint64(c.ints[9][i]),
				Min: c.ints[10][i], Max: c.ints[11][i],
			}, Quantiles: c.text(13, i), Distinct: c.text(14, i)},
			Closed: c.has(12, i), ClosedAt: c.ints[12][i],
		}
		if r.Reading != A && r.Reading != B {
			return fmt.Errorf("reading %q is not known", r.Reading)
		}
		if err := sketches.check(&r.Agg); err != nil {
			return fmt.Errorf("the row of key %q, %s, in view %s: %w", r.Cell.Key, r.Cell.Span, r.Cell.View, err)
		}
		return yield(&r)
	})
}

// Judgements yields every judgement, file by file. Within a file they come by
// partition, offset, view and window, but for those of sessions, which follow by
// key, partition, view and offset.
func (a *Answer) Judgements(yield func(*Judgement) error) error {
	views := a.views()
	causes := map[string]result.Cause{"": 0}
	for _, c := range []result.Cause{result.Late, result.Duplicate, result.Stale} {
		causes[c.String()] = c
	}
	return a.scan(JudgementsFolder, judgementColumns, func(c *columns, i int) error {
		j := Judgement{
			Partition: int32(c.ints[0][i]), Offset: c.ints[1][i],
			Cell: result.Cell{
				View: views(c, 2, i), Key: c.text(8, i), Partition: int32(c.ints[0][i]),
				Span: view.Span{Start: c.ints[4][i], End: c.ints[5][i]},
			},
			Time: c.ints[9][i], Value: c.ints[10][i],
			HasID: c.has(12, i), Producer: c.text(11, i), Seq: uint64(c.ints[12][i]),
		}
		var ok, okB bool
		j.CauseA, ok = causes[c.text(6, i)]
		j.CauseB, okB = causes[c.text(7, i)]
		if !ok || !okB || j.CauseA == 0 {
			return fmt.Errorf("causes %q and %q are not known", c.text(6, i), c.text(7, i))
		}
		return yield(&j)
	})
}

// views joins name and hash, each pair once.
func (a *Answer) views() func(c *columns, at, i int) string {
	ids := map[[2]string]string{}
	return func(c *columns, at, i int) string {
		pair := [2]string{c.text(at, i), c.text(at+1, i)}
		if pair[0] == "" {
			return ""
		}
		id, ok := ids[pair]
		if !ok {
			id = pair[0] + "@" + pair[1]
			ids[pair] = id
		}
		return id
	}
}

// columns is one batch of a table.
type columns struct {
	ints  [][]int64
	valid [][]bool
	codes [][]int32
	texts [][]string // of the row group's dictionaries, each value once
}

// has reports whether a row of an integer column is not null. A file may declare
// an optional column as required: then no row is.
func (c *columns) has(column, i int) bool {
	return len(c.valid[column]) == 0 || c.valid[column][i]
}

// text is a row of a column of text or bytes; "" for a null.
func (c *columns) text(column, i int) string {
	if code := c.codes[column][i]; code >= 0 {
		return c.texts[column][code]
	}
	return ""
}

// scan reads the files of one table.
func (a *Answer) scan(folder string, schema parquet.Schema, row func(c *columns, i int) error) error {
	for _, f := range a.Success.Files {
		if path.Dir(f.Path) != folder {
			continue
		}
		if err := a.scanFile(&f, schema, row); err != nil {
			return fmt.Errorf("cannot read %s: %w", f.Path, err)
		}
	}
	return nil
}

func (a *Answer) scanFile(f *File, schema parquet.Schema, row func(c *columns, i int) error) error {
	file, err := a.root.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	table, err := parquet.Open(file, f.Size)
	if err != nil {
		return err
	}
	if table.Rows() != f.Rows {
		return fmt.Errorf("%d rows instead of %d", table.Rows(), f.Rows)
	}
	cursor, err := table.Cursor(0, table.Groups(), schema...)
	if err != nil {
		return err
	}
	n := len(schema)
	c := &columns{make([][]int64, n), make([][]bool, n), make([][]int32, n), make([][]string, n)}
	group := -1
	for {
		rows, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, column := range schema {
			if column.Kind != parquet.String && column.Kind != parquet.Bytes {
				c.ints[i], err = cursor.Int64(i)
				c.valid[i] = cursor.Valid(i)
			} else if c.codes[i], err = cursor.Codes(i); err == nil {
				if cursor.Group() != group {
					c.texts[i] = c.texts[i][:0]
				}
				for d := cursor.Dict(i); len(c.texts[i]) < d.Len(); {
					c.texts[i] = append(c.texts[i], string(d.Value(int32(len(c.texts[i])))))
				}
			}
			if err != nil {
				return err
			}
		}
		group = cursor.Group()
		for i := range rows {
			if err := row(c, i); err != nil {
				return err
			}
		}
	}
}
