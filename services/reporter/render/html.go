package render

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"parallax.example/services/reporter/assets"
	"parallax.example/services/reporter/report"
)

const topKeys = 12

var (
	//go:embed page/report.html
	pageHTML string
	//go:embed page/report.css
	pageStyle string
	//go:embed page/report.js
	pageScript string
)

// The inline scripts and styles of the page. They are the same for every
// report, so that a policy can name them by their hashes; what differs is data.
var (
	scripts = []string{assets.UPlotScript, assets.Charts, pageScript}
	styles  = []string{assets.UPlotStyle, assets.Theme, pageStyle}
)

// Policy is the Content-Security-Policy of report.html: only its own scripts
// and styles, by their hashes, and nothing from anywhere. The page carries it
// itself; a server sends it too.
func Policy() string {
	hashes := func(list []string) string {
		out := make([]string, len(list))
		for i, s := range list {
			h := sha256.Sum256([]byte(s))
			out[i] = "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
		}
		return strings.Join(out, " ")
	}
	return "default-src 'none'; script-src " + hashes(scripts) + "; style-src " + hashes(styles) +
		"; img-src data:; base-uri 'none'; form-action 'none'"
}

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"whole":        func(n any) string { return group(fmt.Sprint(n)) },
	"mean":         mean,
	"decimal":      decimal,
	"sum":          sum,
	"length":       length,
	"milliseconds": milliseconds,
	"span":         span,
	"moment":       moment,
	"percent":      percent,
	"noun":         noun,
	"sides":        sides,
	"equation":     equation,
	"causes":       causes,
	"quantiles":    quantiles,
	"distinct":     distinct,
	"compared":     compared,
	"published":    published,
	"partial":      partial,

	"asksQuantiles": asksQuantiles,
	"asksDistinct":  asksDistinct,
	"brief":         brief,
	"watermark":     watermark,
	"title":         title,
	"outcome":       func(r *report.Report) string { return outcomes[r.Verdict.Outcome][len("✓ "):] },
	"plain":         plain,
	"share": func(part, of uint64) string {
		if of == 0 {
			return "0"
		}
		return fmt.Sprintf("%.2f", 100*float64(part)/float64(of))
	},
}).Parse(pageHTML))

// page is what the template reads beside the report.
type page struct {
	*report.Report
	Policy  string
	Scripts []template.JS
	Styles  []template.CSS
	Licence string
	Icon    string
	Data    charts
	Cells   []report.Cell // of the differences, as many as are shown
	TopKeys int
}

// charts is the data of the pictures: one entry per view and per latency, in
// the report's order. Null is a window without an event.
type charts struct {
	Unit    string      `json:"unit"`
	Nouns   string      `json:"nouns"`
	Views   []viewChart `json:"views"`
	Latency []histogram `json:"latency"`
}

type viewChart struct {
	Start  []int64   `json:"start"` // s since 1970
	lines            // of each window
	SoFar  lines     `json:"so_far"` // of all windows up to this one, from a twentieth of the events on
	Late   []uint64  `json:"late"`
	Beyond histogram `json:"beyond"`
	Hour   []uint64  `json:"hour"`
}

// lines are the means, one per window start.
type lines struct {
	Truth  []*float64 `json:"truth"`
	Stream []*float64 `json:"stream"`
	Batch  []*float64 `json:"batch"`
}

// histogram holds n counts between n+1 edges, which are already in words.
type histogram struct {
	Edges  []string `json:"edges"`
	Counts []uint64 `json:"counts"`
}

// HTML writes the report as one file that needs no other: it opens from a disk
// as from a server, and requests nothing.
func HTML(w io.Writer, r *report.Report) error {
	p := page{
		Report:  r,
		Policy:  Policy(),
		Licence: strings.TrimSpace(assets.UPlotLicence),
		Icon:    "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(assets.Icon)),
		Data:    chartsOf(r),
		Cells:   r.Differences.Listed[:min(len(r.Differences.Listed), listedCells)],
		TopKeys: topKeys,
	}
	for _, s := range scripts {
		p.Scripts = append(p.Scripts, template.JS(s))
	}
	for _, s := range styles {
		p.Styles = append(p.Styles, template.CSS(s))
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("cannot write the report as HTML: %w", err)
	}
	return nil
}

// IconURL is the icon as the template puts it in; a data URL of our own file.
func (p page) IconURL() template.URL { return template.URL(p.Icon) }

func chartsOf(r *report.Report) charts {
	c := charts{Unit: r.Run.Unit, Nouns: noun(r, 0), Views: []viewChart{}, Latency: []histogram{}}
	for i := range r.Views {
		v := &r.Views[i]
		chart := viewChart{Beyond: bins(v.Late.Beyond, length), Hour: v.Late.HourOfDay}
		var truth, stream, batch running
		enough := float64(v.Sides.B.Count) / 20 // before, the first windows swing too wide for a picture
		for _, p := range v.Series {
			chart.Start = append(chart.Start, int64(p.Start)/1e6)
			chart.Late = append(chart.Late, p.Late)
			chart.add(p.Truth, p.Stream, p.B)
			t, s, b := truth.add(p.Truth), stream.add(p.Stream), batch.add(p.B)
			if batch.count < enough {
				t, s, b = report.Figures{}, report.Figures{}, report.Figures{}
			}
			chart.SoFar.add(t, s, b)
		}
		c.Views = append(c.Views, chart)
	}
	for _, l := range r.Latency {
		c.Latency = append(c.Latency, bins(l.Buckets, milliseconds))
	}
	return c
}

func (l *lines) add(truth, stream, batch report.Figures) {
	l.Truth = append(l.Truth, point(truth))
	l.Stream = append(l.Stream, point(stream))
	l.Batch = append(l.Batch, point(batch))
}

// running is the mean of all figures added so far; for a picture, so floats do.
type running struct{ count, sum float64 }

func (a *running) add(f report.Figures) report.Figures {
	a.count += float64(f.Count)
	a.sum += f.Mean * float64(f.Count)
	if a.count == 0 {
		return report.Figures{}
	}
	return report.Figures{Count: 1, Mean: a.sum / a.count}
}

// point rounds to what a picture can show, to keep the page small.
func point(f report.Figures) *float64 {
	if f.Count == 0 {
		return nil
	}
	v := math.Round(f.Mean*1000) / 1000
	return &v
}

func bins(list []report.Bucket, words func(int64) string) histogram {
	h := histogram{Edges: []string{}, Counts: []uint64{}}
	for i, b := range list {
		h.Edges = append(h.Edges, words(b.From))
		h.Counts = append(h.Counts, b.Count)
		if i == len(list)-1 {
			h.Edges = append(h.Edges, words(b.To))
		}
	}
	return h
}
