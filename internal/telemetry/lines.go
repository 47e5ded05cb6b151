package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
	"unicode"
)

// lines is the handler for people: time, level, message, attributes.
//
//	15:04:05.000 WARN  cannot reach the broker  address=127.0.0.1:9092
//
// The attributes, with their groups and quoting, are slog's own text handler,
// which writes into a buffer that the handlers derived from it share.
type lines struct {
	shared *shared
	level  slog.Level
	colour bool
	attrs  slog.Handler
}

type shared struct {
	mu     sync.Mutex
	w      io.Writer
	buffer bytes.Buffer // of attrs, guarded by mu
}

func newLines(w io.Writer, level slog.Level, colour bool) *lines {
	s := &shared{w: w}
	return &lines{shared: s, level: level, colour: colour, attrs: slog.NewTextHandler(&s.buffer, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			// The record's own level and message: Handle writes them.
			if _, own := a.Value.Any().(slog.Level); own && a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			if a.Key == slog.MessageKey && a.Value.String() == "" {
				return slog.Attr{}
			}
			return a
		},
	})}
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *l
	with.attrs = l.attrs.WithAttrs(attrs)
	return &with
}

func (l *lines) WithGroup(name string) slog.Handler {
	with := *l
	with.attrs = l.attrs.WithGroup(name)
	return &with
}

const (
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	reset  = "\x1b[0m"
)

func (l *lines) Handle(ctx context.Context, r slog.Record) error {
	attrs := slog.NewRecord(time.Time{}, r.Level, "", 0)
	r.Attrs(func(a slog.Attr) bool { attrs.AddAttrs(a); return true })

	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	l.shared.buffer.Reset()
	if err := l.attrs.Handle(ctx, attrs); err != nil {
		return err
	}
	var line []byte
	paint := func(colour, text string) {
		if l.colour && colour != "" {
			text = colour + text + reset
		}
		line = append(line, text...)
	}
	if !r.Time.IsZero() {
		paint(dim, r.Time.Format("15:04:05.000"))
		line = append(line, ' ')
	}
	level := r.Level.String()
	paint(colourOf(r.Level), level)
	for range max(1, 6-len(level)) {
		line = append(line, ' ')
	}
	line = append(line, printable(r.Message)...)
	if tail := bytes.TrimRight(l.shared.buffer.Bytes(), "\n"); len(tail) > 0 {
		line = append(line, "  "...)
		paint(dim, string(tail))
	}
	_, err := l.shared.w.Write(append(line, '\n'))
	return err
}

func colourOf(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return red
	case level >= slog.LevelWarn:
		return yellow
	case level >= slog.LevelInfo:
		return cyan
	}
	return dim
}

// printable is the text, quoted when it could disturb a terminal.
func printable(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	return text
}
