// Package assets embeds what the live page and the report share: the look, the
// charts, and uPlot 1.6.32 (MIT, licence beside it), byte for byte as its
// authors published it.
//
// package.json pins uPlot's version; ./refresh fetches it and ./refresh --check
// proves that the files are those of that version. Nothing is loaded from
// elsewhere when a page is opened.
package assets

import _ "embed"

// The files, ready to be served or put into a page.
var (
	//go:embed uplot/uPlot.iife.min.js
	UPlotScript string
	//go:embed uplot/uPlot.min.css
	UPlotStyle string
	//go:embed uplot/LICENSE
	UPlotLicence string
	//go:embed charts.js
	Charts string // needs UPlotScript before it
	//go:embed theme.css
	Theme string
	//go:embed icon.svg
	Icon string
)
