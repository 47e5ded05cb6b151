package telemetry

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal says what the writer w can show.
type Terminal struct {
	Refresh bool       // lines can be overwritten
	Colour  bool       // colours are wanted
	Width   func() int // columns, now; nil when Refresh is false
}

// TerminalOf finds out what w is. Environment is os.LookupEnv or a test's.
func TerminalOf(w io.Writer, environment func(string) (string, bool)) Terminal {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return Terminal{}
	}
	if kind, _ := environment("TERM"); kind == "dumb" {
		return Terminal{}
	}
	noColour, _ := environment("NO_COLOR") // no-color.org: any text but the empty one
	return Terminal{Refresh: true, Colour: noColour == "", Width: func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width < 1 {
			return 80
		}
		return width
	}}
}
