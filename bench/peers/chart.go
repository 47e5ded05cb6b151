package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A chart is SVG by hand: bars, and lines over a logarithmic axis, on white so that
// it can be read on any page.

const (
	chartWidth = 860
	labelWidth = 360
	barHeight  = 18
	ours1st    = "#c2410c" // the first engine
	others     = "#64748b"
)

var lineColours = []string{"#c2410c", "#2563eb", "#15803d", "#7c3aed", "#a16207", "#0e7490"}

// bar is one line of a bar chart, with its groups of values.
type bar struct {
	name   string
	values []float64
}

// bars draws horizontal bars of one or more values per name, on one scale.
func bars(title, unit string, values []string, list []bar) string {
	var top float64
	for _, b := range list {
		for _, v := range b.values {
			top = max(top, v)
		}
	}
	var s strings.Builder
	y := 44
	for i, b := range list {
		colour := others
		if i == 0 {
			colour = ours1st
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-8, y+len(b.values)*barHeight/2+4, html.EscapeString(b.name))
		for k, v := range b.values {
			width := 0.0
			if top > 0 {
				width = v / top * (chartWidth - labelWidth - 90)
			}
			fmt.Fprintf(&s, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s" opacity="%.2f"/><text x="%.1f" y="%d">%s</text>`+"\n",
				labelWidth, y, width, barHeight-3, colour, 1-0.5*float64(k)/float64(len(b.values)), labelWidth+width+5, y+12, figure(v))
			y += barHeight
		}
		y += 8
	}
	return svg(chartWidth, y+10, fmt.Sprintf(`<text x="10" y="20" font-weight="bold">%s</text><text x="10" y="36">%s</text>`+"\n%s",
		html.EscapeString(title), html.EscapeString(unit+"; from top to bottom: "+strings.Join(values, ", ")), s.String()))
}

// line is one series of a line chart.
type line struct {
	name string
	x, y []float64
}

const (
	panelWidth, panelHeight = 400, 230
	panelLeft, panelBottom  = 50, 40
)

// panel draws lines over a logarithmic x and a linear y from 0, at a place.
func panel(left, top int, title string, list []line) string {
	low, high, ceiling := math.Inf(1), math.Inf(-1), 0.0
	for _, l := range list {
		for i := range l.x {
			low, high, ceiling = min(low, l.x[i]), max(high, l.x[i]), max(ceiling, l.y[i])
		}
	}
	if ceiling == 0 || low <= 0 {
		return ""
	}
	ceiling *= 1.15
	width, height := float64(panelWidth-panelLeft-20), float64(panelHeight-panelBottom-30)
	at := func(x, y float64) (float64, float64) {
		share := 0.5
		if high > low {
			share = math.Log(x/low) / math.Log(high/low)
		}
		return float64(left+panelLeft) + share*width, float64(top+30) + (1-y/ceiling)*height
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left+10, top+16, html.EscapeString(title))
	x0, y0 := at(low, 0)
	x1, y1 := at(high, ceiling)
	fmt.Fprintf(&s, `<path d="M%.1f %.1fV%.1fH%.1f" fill="none" stroke="%s"/>`+"\n", x0, y1, y0, max(x1, x0+width), others)
	for _, v := range []float64{ceiling / 2, ceiling} {
		_, y := at(low, v)
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", x0-5, y+4, figure(v))
	}
	for n, l := range list {
		var points []string
		for i := range l.x {
			x, y := at(l.x[i], l.y[i])
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(&s, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n",
				x, y, lineColours[n%len(lineColours)], x, y0+14, figure(l.x[i]))
		}
		fmt.Fprintf(&s, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n",
			strings.Join(points, " "), lineColours[n%len(lineColours)], left+panelLeft+130*(n%3), top+panelHeight-8+14*(n/3), lineColours[n%len(lineColours)], html.EscapeString(l.name))
	}
	return s.String()
}

// figure writes a value in three digits or so.
func figure(v float64) string {
	switch {
	case v >= 999_500:
		return fmt.Sprintf("%.3g M", v/1e6)
	case v >= 10_000:
		return fmt.Sprintf("%.0f k", v/1e3)
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

func svg(width, height int, body string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12" fill="#334155">
<rect width="%d" height="%d" fill="#ffffff"/>
%s</svg>
`, width, height, width, height, width, height, body)
}

func throughputChart(list []cost) string {
	var b []bar
	for _, c := range list {
		b = append(b, bar{c.Engine, []float64{c.Marginal, c.Whole}})
	}
	return bars("CPU per event", "µs", []string{"marginal", "whole"}, b)
}
