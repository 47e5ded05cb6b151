package telemetry

import (
	"io"
	"log/slog"
)

// Log is the part of a program's configuration that says how it logs.
type Log struct {
	Level  slog.Level `name:"log-level" default:"info" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn, error."`
	Format string     `name:"log-format" default:"text" enum:"text,json" help:"Form of log lines: text, json."`
}

// Logger writes to w, which is the terminal t describes or none.
func (l Log) Logger(w io.Writer, t Terminal) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	switch {
	case l.Format == "json":
		return slog.New(slog.NewJSONHandler(w, options))
	case t.Refresh:
		return slog.New(newLines(w, l.Level, t.Colour))
	default:
		return slog.New(slog.NewTextHandler(w, options))
	}
}
