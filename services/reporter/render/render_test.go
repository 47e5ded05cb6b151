package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/parquet"
	"parallax.example/services/reporter/render"
	"parallax.example/services/reporter/report"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var reports = map[string]func() *report.Report{"explained": explained, "unexplained": unexplained, "damaged": damaged, "not-compared": notCompared}

// golden compares with testdata/name; go test -rewrite makes the files.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (−want +got); go test -rewrite accepts it:\n%s", path, diff)
	}
}

func rendered(t *testing.T, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func html(t *testing.T, r *report.Report) string {
	t.Helper()
	return string(rendered(t, func(w io.Writer) error { return render.HTML(w, r) }))
}

var code = regexp.MustCompile(`(?s)<(script|style)>(.*?)</(script|style)>`)

func TestGolden(t *testing.T) {
	for name, make := range reports {
		t.Run(name, func(t *testing.T) {
			r := make()
			golden(t, name+".txt", rendered(t, func(w io.Writer) error { return render.Terminal(w, r, false) }))
			golden(t, name+".ansi", rendered(t, func(w io.Writer) error { return render.Terminal(w, r, true) }))
			golden(t, name+".md", rendered(t, func(w io.Writer) error { return render.Markdown(w, r) }))
			golden(t, name+".json", rendered(t, func(w io.Writer) error { return render.JSON(w, r) }))
			page := code.ReplaceAllString(html(t, r), "<$1>…</$3>")
			page = regexp.MustCompile(`sha256-[^']*`).ReplaceAllString(page, "sha256-…")
			golden(t, name+".html", []byte(page))
		})
	}
	golden(t, "cells.csv", rendered(t, func(w io.Writer) error { return render.CSV(w, cells()) }))
}

func TestTerminalFitsAndEndsWithTheVerdict(t *testing.T) {
	for name, make := range reports {
		out := string(rendered(t, func(w io.Writer) error { return render.Terminal(w, make(), false) }))
		lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n > 100 {
				t.Errorf("%s: %d columns: %q", name, n, l)
			}
		}
		if strings.ContainsRune(out, '\x1b') {
			t.Errorf("%s: a terminal control without colours", name)
		}
		want := map[string]string{"explained": "✓ EXPLAINED", "unexplained": "✗ UNEXPLAINED", "not-compared": "✗ NOT COMPARED"}[name]
		at := strings.LastIndex(out, want)
		if at < 0 || strings.Contains(out[at:], "\n\n") {
			t.Errorf("%s: %q does not stand in the last paragraph", name, want)
		}
	}
}

func TestUnexplainedNamesTheCell(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *report.Report) error{
		"terminal": func(w io.Writer, r *report.Report) error { return render.Terminal(w, r, false) },
		"markdown": render.Markdown,
		"html":     render.HTML,
		"json":     render.JSON,
	} {
		out := string(rendered(t, func(w io.Writer) error { return write(w, unexplained()) }))
		for _, want := range []string{"alert(1)", "stream-a", "nexplained"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
	}
}

// The page is well-formed, brings all it needs, and asks for nothing.
func TestHTMLIsSelfContained(t *testing.T) {
	for name, make := range reports {
		t.Run(name, func(t *testing.T) {
			whole := html(t, make())
			for _, c := range code.FindAllStringSubmatch(whole, -1) {
				if strings.Contains(c[2], "</") && strings.Contains(strings.ToLower(c[2]), "</script") {
					t.Error("a script holds the end of a script")
				}
				if regexp.MustCompile(`@import|url\(|fetch\(|XMLHttpRequest|WebSocket|importScripts`).MatchString(c[2]) {
					t.Error("a script or a style can request something")
				}
			}
			page := code.ReplaceAllString(whole, "")
			d := xml.NewDecoder(strings.NewReader(page))
			d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
			var open []string
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("the page is not well-formed: %v", err)
				}
				switch e := token.(type) {
				case xml.StartElement:
					open = append(open, e.Name.Local)
					for _, a := range e.Attr {
						n := strings.ToLower(a.Name.Local)
						if strings.HasPrefix(n, "on") || n == "style" || n == "srcdoc" {
							t.Errorf("<%s> has an inline %s", e.Name.Local, n)
						}
						if (n == "src" || n == "href" || n == "srcset" || n == "action" || n == "poster") && !strings.HasPrefix(a.Value, "data:image/svg+xml;base64,") {
							t.Errorf("<%s> asks for %s=%q", e.Name.Local, n, a.Value)
						}
					}
					if e.Name.Local == "script" && !strings.Contains(page, `type="application/json"`) {
						t.Error("a script which is no data block was not recognised")
					}
				case xml.EndElement:
					if len(open) == 0 || open[len(open)-1] != e.Name.Local {
						t.Fatalf("</%s> closes nothing; open are %q", e.Name.Local, open)
					}
					open = open[:len(open)-1]
				}
			}
			if len(open) > 0 {
				t.Errorf("%q stay open", open)
			}
			if !strings.Contains(whole, `Permission is hereby granted`) {
				t.Error("uPlot's licence is not in the page")
			}
			meta := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(whole)
			if meta == nil || strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(meta[1]) != render.Policy() {
				t.Errorf("the page's policy is %q, want %q", meta, render.Policy())
			}
		})
	}
}

func TestHTMLEscapes(t *testing.T) {
	page := code.ReplaceAllString(html(t, unexplained()), "")
	if strings.Contains(page, "<script>alert") {
		t.Error("a key became a script")
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the key is not shown")
	}
	r := explained()
	r.Run.Unit, r.Run.Nouns = `</script><script>alert(2)</script>`, `</script><script>alert(2)</script>`
	if strings.Contains(html(t, r), "<script>alert") {
		t.Error("a unit became a script")
	}
}

func TestHTMLHoldsTheChartsData(t *testing.T) {
	page := html(t, explained())
	block := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindStringSubmatch(page)
	if block == nil {
		t.Fatal("there is no data block")
	}
	var data struct {
		Views []struct {
			Start                []int64
			Truth, Stream, Batch []*float64
			Late, Hour           []uint64
			Beyond               struct {
				Edges  []string
				Counts []uint64
			}
		}
		Latency []struct {
			Edges  []string
			Counts []uint64
		}
	}
	if err := json.Unmarshal([]byte(block[1]), &data); err != nil {
		t.Fatal(err)
	}
	v := data.Views[0]
	if want := []int64{992217600, 992221200, 992224800}; !cmp.Equal(v.Start, want) {
		t.Errorf("windows start at %d, want %d", v.Start, want)
	}
	if *v.Stream[0] != 1 || v.Stream[1] != nil || *v.Batch[1] != 200 || *v.Truth[2] != -7 {
		t.Errorf("means are stream %v, batch %v, truth %v", v.Stream, v.Batch, v.Truth)
	}
	if !cmp.Equal(v.Late, []uint64{1, 1, 0}) || !cmp.Equal(v.Beyond.Edges, []string{"0", "15 min", "30 min"}) || len(v.Hour) != 24 {
		t.Errorf("late ones are %v, %v, %v", v.Late, v.Beyond, v.Hour)
	}
	if !cmp.Equal(data.Latency[0].Edges, []string{"−10 ms", "0 ms", "10 ms", "100 ms", "1 min 40 s"}) || !cmp.Equal(data.Latency[0].Counts, []uint64{1, 4, 3, 2}) {
		t.Errorf("latency is %v", data.Latency[0])
	}
	for _, chart := range []string{"means", "sofar", "late", "hour", "beyond", "latency"} {
		if !strings.Contains(page, `data-chart="`+chart+`"`) {
			t.Errorf("there is no place for the chart %q", chart)
		}
	}
}

func TestCSVIsNoFormula(t *testing.T) {
	out := rendered(t, func(w io.Writer) error {
		return render.CSV(w, []report.Cell{{View: "v", Key: "=1+1"}, {View: "v", Key: "-x"}, {View: "v", Key: "@a"}, {View: "+v", Key: "\tb"}, {View: "v", Key: "a=b"}})
	})
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows[1:] {
		got = append(got, r[0]+" "+r[1])
	}
	if want := []string{"v '=1+1", "v '-x", "v '@a", "'+v '\tb", "v a=b"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParquetHoldsTheCells(t *testing.T) {
	list := cells()
	list[0].B.WholeSum, list[0].B.Sum = "18446744073709551616", 0
	out := rendered(t, func(w io.Writer) error { return render.Parquet(w, explained(), list) })
	f, err := parquet.Open(bytes.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Rows() != int64(len(list)) {
		t.Fatalf("%d rows, want %d", f.Rows(), len(list))
	}
	ints := func(name string) ([]int64, []bool) {
		var c parquet.ColumnReader
		if err := c.Open(f, 0, f.Schema().Index(name)); err != nil {
			t.Fatal(err)
		}
		values, valid := make([]int64, len(list)), make([]bool, len(list))
		if _, err := c.Int64(values, valid); err != nil {
			t.Fatal(err)
		}
		return values, valid
	}
	if p95, valid := ints("b_p95"); p95[0] != 90 || valid[1] {
		t.Errorf("b_p95 is %d, given %t", p95, valid)
	}
	if ends, _ := ints("group_end"); ends[0] != int64(list[0].Group.End) || ends[1] != int64(list[1].End) {
		t.Errorf("group_end is %d", ends)
	}
	if sums, valid := ints("stream_sum"); sums[0] != 2 || valid[1] || sums[2] != -7 || valid[3] {
		t.Errorf("stream_sum is %d, given %t", sums, valid)
	}
	if _, valid := ints("b_sum"); valid[0] || !valid[1] {
		t.Errorf("b_sum is given %t: a sum beyond 64 bits belongs in b_whole_sum", valid)
	}
	if starts, _ := ints("start"); starts[1] != int64(list[1].Start) {
		t.Errorf("start is %d, want %d", starts[1], list[1].Start)
	}
}

func TestSameReportSameBytes(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		if err := render.All(dir, explained(), cells()); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range render.Files {
		x, err := os.ReadFile(filepath.Join(a, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if len(x) == 0 || !bytes.Equal(x, y) {
			t.Errorf("%s is empty or not the same twice", f.Name)
		}
	}
}

// A report that cannot be written leaves the earlier one and nothing half done.
func TestAllIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	if err := render.All(dir, explained(), cells()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "cells.csv"))
	if err != nil {
		t.Fatal(err)
	}
	r := explained()
	r.Views[0].Sides.B.Mean = math.NaN() // JSON, the last of the files, has no such number
	if err := render.All(dir, r, nil); err == nil || !strings.Contains(err.Error(), "report.json") {
		t.Errorf("the error is %v, want one that names report.json", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "cells.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("cells.csv is another one already")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(render.Files) {
		t.Errorf("%d files lie there, want %d: %v", len(entries), len(render.Files), entries)
	}
}

func TestAllSaysWhatToDoAboutABadFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := render.All(filepath.Join(file, "run"), explained(), nil)
	if err == nil || !strings.Contains(err.Error(), "choose a folder that can be written to") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %v", err)
	}
}

// docs/report-schema.md names every field of report.json.
func TestSchemaIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/report-schema.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(s reflect.Type) {
		for s.Kind() == reflect.Pointer || s.Kind() == reflect.Slice {
			s = s.Elem()
		}
		if s.Kind() != reflect.Struct || seen[s] {
			return
		}
		seen[s] = true
		section := ""
		if _, rest, ok := strings.Cut(string(doc), "\n## "+s.Name()+"\n"); ok {
			section, _, _ = strings.Cut(rest, "\n## ")
		} else {
			t.Errorf("there is no section %q", s.Name())
		}
		for i := range s.NumField() {
			f := s.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.Anonymous && !strings.Contains(section, "| `"+name+"` |") {
				t.Errorf("section %q does not say what %q is", s.Name(), name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[report.Report]())
}
