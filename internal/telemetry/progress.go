package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	refreshEvery = 100 * time.Millisecond // on a terminal
	plainEvery   = 3 * time.Second        // elsewhere, where every line stays
)

// Progress shows how far something is: one refreshed line on a terminal, else a
// plain line every few seconds. It is also the writer for everything else that
// goes to the same place, so that a log line and the refreshed line do not mix.
// It is safe for concurrent use.
type Progress struct {
	w        io.Writer
	terminal Terminal
	now      func() time.Time

	mu     sync.Mutex
	latest string // the last Show
	shown  string // what is on the terminal's last line, "" when nothing is
	next   time.Time
}

// NewProgress shows progress on w, which is the terminal t describes or none.
func NewProgress(w io.Writer, t Terminal, now func() time.Time) *Progress {
	return &Progress{w: w, terminal: t, now: now}
}

// Show offers a line. Most are not written: call it as often as you like.
func (p *Progress) Show(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = printable(line)
	now := p.now()
	if now.Before(p.next) {
		return
	}
	if p.terminal.Refresh {
		p.next = now.Add(refreshEvery)
		p.draw(p.latest)
		return
	}
	p.next = now.Add(plainEvery)
	p.plain()
}

// Done writes the last line offered, if it has not been, and ends it.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.terminal.Refresh:
		p.plain()
	case p.latest != "":
		p.draw(p.latest)
		io.WriteString(p.w, "\n") //nolint:errcheck // nobody is told when the terminal is gone
	}
	p.latest, p.shown, p.next = "", "", time.Time{}
}

// Write passes text through, above the refreshed line. Text that does not end a
// line is not followed by the refreshed line before the next Show.
func (p *Progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal.Refresh || p.shown == "" {
		return p.w.Write(text)
	}
	shown := p.shown
	p.draw("")
	n, err := p.w.Write(text)
	if len(text) > 0 && text[len(text)-1] == '\n' {
		p.draw(shown)
	}
	return n, err
}

// plain writes the latest line once.
func (p *Progress) plain() {
	if p.latest != p.shown {
		io.WriteString(p.w, p.latest+"\n") //nolint:errcheck // as in Done
		p.shown = p.latest
	}
}

// draw replaces the terminal's last line, cut to the width: a longer one would
// wrap and could not be overwritten.
func (p *Progress) draw(line string) {
	if runes, width := []rune(line), p.terminal.Width(); len(runes) >= width {
		line = string(runes[:max(0, width-1)])
	}
	io.WriteString(p.w, "\r\x1b[2K"+line) //nolint:errcheck // as in Done
	p.shown = line
}
