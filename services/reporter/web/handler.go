package web

import (
	"embed"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"parallax.example/services/reporter/assets"
	"parallax.example/services/reporter/render"
)

//go:embed page
var page embed.FS

// policy of the live page: everything from here, nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Options of a Handler. Zero durations take the usual values.
type Options struct {
	Reports   string        // folder of the finished report; may be empty until the run ends
	Interval  time.Duration // between two looks at the run; 500 ms
	Heartbeat time.Duration // of a stream on which nothing changes; 15 s
	Patience  time.Duration // with a client that does not read; 5 s
	Clients   int           // streams at a time; 32
}

// New makes the handler of the live page. snapshot is called at most once per
// interval, however many clients there are, never twice at the same time, and
// only while somebody looks.
func New(snapshot func() Live, o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", file("page/index.html", "text/html; charset=utf-8"))
	mux.Handle("GET /live.js", file("page/live.js", javascript))
	mux.Handle("GET /live.css", file("page/live.css", stylesheet))
	mux.Handle("GET /charts.js", text(assets.Charts, javascript))
	mux.Handle("GET /theme.css", text(assets.Theme, stylesheet))
	mux.Handle("GET /uplot.js", text(assets.UPlotScript, javascript))
	mux.Handle("GET /uplot.css", text(assets.UPlotStyle, stylesheet))
	mux.Handle("GET /uplot.licence.txt", text(assets.UPlotLicence, "text/plain; charset=utf-8"))
	mux.Handle("GET /icon.svg", text(assets.Icon, "image/svg+xml"))
	mux.Handle("GET /events", newStream(snapshot, o))
	mux.Handle("GET /healthz", text("ok\n", "text/plain; charset=utf-8"))
	for _, r := range render.Files {
		mux.Handle("GET /"+r.Name, finished(o.Reports, r))
	}
	return guard(mux)
}

const (
	javascript = "text/javascript; charset=utf-8"
	stylesheet = "text/css; charset=utf-8"
)

// guard refuses requests that came here under a foreign name, and sets the
// headers that every answer has.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !loopback(r.Host) {
			http.Error(w, "This page answers only to localhost, 127.0.0.1 and [::1].", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether a Host header or an address names this machine's
// loopback: the name localhost or a loopback address, with a port or without.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

func file(name, kind string) http.Handler {
	b, err := page.ReadFile(name)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return text(string(b), kind)
}

func text(body, kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(body)) // the client is gone: nobody to tell
	})
}

// finished serves one file of the finished report. Names are from a fixed list
// and files are opened within dir, so a link in it leads nowhere else.
func finished(dir string, f render.File) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := open(dir, f.Name)
		if err != nil {
			http.Error(w, "There is no report yet: it is written with the verdict.", http.StatusNotFound)
			return
		}
		defer content.Close()
		w.Header().Set("Content-Type", f.Type)
		if f.Name == "report.html" {
			w.Header().Set("Content-Security-Policy", render.Policy()+"; frame-ancestors 'none'")
		}
		http.ServeContent(w, r, f.Name, time.Time{}, content)
	})
}

func open(dir, name string) (*os.File, error) {
	if dir == "" {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f, err := root.Open(name)
	if closed := root.Close(); closed != nil && err == nil {
		return nil, errors.Join(closed, f.Close())
	}
	if err != nil {
		return nil, err
	}
	if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() {
		return nil, errors.Join(err, f.Close(), fs.ErrNotExist)
	}
	return f, nil
}
