package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"parallax.example/internal/parquet"
	"parallax.example/services/reporter/report"
)

// sideNames are the column prefixes of a cell's four sides, in their order.
var sideNames = [4]string{"truth", "stream", "a", "b"}

func cellSides(c *report.Cell) [4]*report.Figures {
	return [4]*report.Figures{c.Truth, c.Stream, c.A, c.B}
}

// causeList writes a cell's causes for programs: "late 3 412;foreign 1 7", each
// as name, count, sum.
func causeList(list []report.CellCause) string {
	parts := make([]string, len(list))
	for i, c := range list {
		parts[i] = fmt.Sprintf("%s %d %s", c.Cause, c.Count, exact(&c.Figures))
	}
	return strings.Join(parts, ";")
}

func exact(f *report.Figures) string {
	if f.WholeSum != "" {
		return f.WholeSum
	}
	return strconv.FormatInt(f.Sum, 10)
}

// CSV writes one line per cell under a line of names (RFC 4180, UTF-8). The
// columns of a side without a row are empty. A text which a spreadsheet would
// take for a formula gets an apostrophe before it.
func CSV(w io.Writer, cells []report.Cell) error {
	out := csv.NewWriter(w)
	head := []string{"view", "key", "start", "end", "partition", "verdict", "causes"}
	for _, s := range sideNames {
		head = append(head, s+"_count", s+"_sum", s+"_min", s+"_max", s+"_mean", s+"_p50", s+"_p95", s+"_p99", s+"_distinct")
	}
	head = append(head, "group_start", "group_end")
	if err := out.Write(head); err != nil {
		return fmt.Errorf("cannot write the cells as CSV: %w", err)
	}
	row := make([]string, 0, len(head))
	for i := range cells {
		c := &cells[i]
		row = append(row[:0], harmless(c.View), harmless(c.Key), c.Start.String(), c.End.String(),
			strconv.Itoa(int(c.Partition)), c.Verdict, causeList(c.Causes))
		for _, f := range cellSides(c) {
			row = append(row, csvSide(f)...)
		}
		group := groupOf(c)
		row = append(row, group.Start.String(), group.End.String())
		if err := out.Write(row); err != nil {
			return fmt.Errorf("cannot write the cells as CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("cannot write the cells as CSV: %w", err)
	}
	return nil
}

func csvSide(f *report.Figures) []string {
	columns := make([]string, 9)
	if f == nil {
		return columns
	}
	columns[0], columns[1] = strconv.FormatUint(f.Count, 10), exact(f)
	columns[2], columns[3] = strconv.FormatInt(f.Min, 10), strconv.FormatInt(f.Max, 10)
	columns[4] = strconv.FormatFloat(f.Mean, 'g', -1, 64)
	if q := f.Quantiles; q != nil {
		for i, v := range [3]int64{q.P50, q.P95, q.P99} {
			columns[5+i] = strconv.FormatInt(v, 10)
		}
	}
	if f.Distinct != nil {
		columns[8] = strconv.FormatUint(*f.Distinct, 10)
	}
	return columns
}

// groupOf is what the cell was compared with: itself, unless it is a session.
func groupOf(c *report.Cell) report.Span {
	if c.Group != nil {
		return *c.Group
	}
	return report.Span{Start: c.Start, End: c.End}
}

func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

// Parquet writes the same table; times are timestamps, a side without a row is
// null. Means are left to the reader (sum / count); a sum beyond 64 bits is
// null in …_sum and stands in …_whole_sum as decimal text.
func Parquet(w io.Writer, r *report.Report, cells []report.Cell) error {
	const batchRows = 4096
	schema := parquet.Schema{
		{Name: "view", Kind: parquet.String},
		{Name: "key", Kind: parquet.String},
		{Name: "start", Kind: parquet.Timestamp},
		{Name: "end", Kind: parquet.Timestamp},
		{Name: "partition", Kind: parquet.Int32},
		{Name: "verdict", Kind: parquet.String},
		{Name: "causes", Kind: parquet.String},
	}
	for _, s := range sideNames {
		schema = append(schema,
			parquet.Column{Name: s + "_count", Kind: parquet.Uint64, Optional: true},
			parquet.Column{Name: s + "_sum", Kind: parquet.Int64, Optional: true},
			parquet.Column{Name: s + "_whole_sum", Kind: parquet.String, Optional: true},
			parquet.Column{Name: s + "_min", Kind: parquet.Int64, Optional: true},
			parquet.Column{Name: s + "_max", Kind: parquet.Int64, Optional: true},
			parquet.Column{Name: s + "_p50", Kind: parquet.Int64, Optional: true},
			parquet.Column{Name: s + "_p95", Kind: parquet.Int64, Optional: true},
			parquet.Column{Name: s + "_p99", Kind: parquet.Int64, Optional: true},
			parquet.Column{Name: s + "_distinct", Kind: parquet.Uint64, Optional: true})
	}
	schema = append(schema, parquet.Column{Name: "group_start", Kind: parquet.Timestamp}, parquet.Column{Name: "group_end", Kind: parquet.Timestamp})
	out, err := parquet.NewWriter(w, schema, parquet.Options{Codec: parquet.Zstd, Metadata: map[string]string{
		"parallax.run":            r.Run.ID,
		"parallax.schema":         r.Schema,
		"parallax.schema.version": strconv.Itoa(r.Version),
	}})
	if err != nil {
		return fmt.Errorf("cannot write the cells as Parquet: %w", err)
	}
	batch := parquet.NewBatch(schema)
	for i := range cells {
		c := &cells[i]
		batch[0].AppendString(c.View)
		batch[1].AppendString(c.Key)
		batch[2].AppendInt64(int64(c.Start))
		batch[3].AppendInt64(int64(c.End))
		batch[4].AppendInt64(int64(c.Partition))
		batch[5].AppendString(c.Verdict)
		batch[6].AppendString(causeList(c.Causes))
		for n, f := range cellSides(c) {
			appendSide(batch[7+9*n:], f)
		}
		group := groupOf(c)
		batch[len(batch)-2].AppendInt64(int64(group.Start))
		batch[len(batch)-1].AppendInt64(int64(group.End))
		if (i+1)%batchRows == 0 || i+1 == len(cells) {
			if err := out.Write(batch); err != nil {
				return fmt.Errorf("cannot write the cells as Parquet: %w", err)
			}
			parquet.ResetBatch(batch)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("cannot write the cells as Parquet: %w", err)
	}
	return nil
}

func appendSide(to []parquet.Vector, f *report.Figures) {
	if f == nil {
		for i := range 9 {
			to[i].AppendNull()
		}
		return
	}
	to[0].AppendUint64(f.Count)
	if f.WholeSum == "" {
		to[1].AppendInt64(f.Sum)
		to[2].AppendNull()
	} else {
		to[1].AppendNull()
		to[2].AppendString(f.WholeSum)
	}
	to[3].AppendInt64(f.Min)
	to[4].AppendInt64(f.Max)
	if q := f.Quantiles; q != nil {
		to[5].AppendInt64(q.P50)
		to[6].AppendInt64(q.P95)
		to[7].AppendInt64(q.P99)
	} else {
		for i := range 3 {
			to[5+i].AppendNull()
		}
	}
	if f.Distinct != nil {
		to[8].AppendUint64(*f.Distinct)
	} else {
		to[8].AppendNull()
	}
}
