package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parallax.example/services/reporter/render"
	"parallax.example/services/reporter/web"
)

func still() web.Live { return web.Live{Phase: web.Streaming} }

func get(t *testing.T, h http.Handler, path, host string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPagesAndHeaders(t *testing.T) {
	h := web.New(still, web.Options{})
	for path, kind := range map[string]string{
		"/": "text/html", "/live.js": "text/javascript", "/live.css": "text/css", "/charts.js": "text/javascript",
		"/theme.css": "text/css", "/uplot.js": "text/javascript", "/uplot.css": "text/css", "/icon.svg": "image/svg+xml",
		"/uplot.licence.txt": "text/plain", "/healthz": "text/plain",
	} {
		r := get(t, h, path, "localhost:8080")
		if r.Code != http.StatusOK || !strings.HasPrefix(r.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, r.Code, r.Header().Get("Content-Type"))
		}
		policy := r.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := r.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	for _, path := range []string{"/nothing", "/page/index.html", "/../live.go", "/report.html", "/cells.parquet"} {
		if r := get(t, h, path, "localhost"); r.Code/100 == 2 {
			t.Errorf("%s: %d", path, r.Code)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// A page which holds nothing inline, as its policy demands.
func TestPageHasNothingInline(t *testing.T) {
	body := get(t, web.New(still, web.Options{}), "/", "localhost").Body.String()
	for _, bad := range []string{"<style", " style=", " onclick", "http:", "https:", "//"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestOnlyLoopbackHosts(t *testing.T) {
	h := web.New(still, web.Options{})
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:1": 200, "127.0.0.1:8080": 200, "127.9.9.9": 200, "[::1]:8080": 200, "[::1]": 200,
		"evil.example": 421, "localhost.evil.example": 421, "192.168.0.7:8080": 421, "[::]:80": 421, "": 421, "127.0.0.1.evil.example:80": 421,
	} {
		if r := get(t, h, "/", host); r.Code != want {
			t.Errorf("host %q: %d, want %d", host, r.Code, want)
		}
		if r := get(t, h, "/report.json", host); want == 421 && r.Code != want {
			t.Errorf("host %q for the report: %d, want %d", host, r.Code, want)
		}
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	h := web.New(still, web.Options{Reports: dir})
	if r := get(t, h, "/report.html", "localhost"); r.Code != http.StatusNotFound {
		t.Errorf("before the end: %d", r.Code)
	}
	for _, f := range render.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), []byte("content of "+f.Name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range render.Files {
		r := get(t, h, "/"+f.Name, "localhost")
		if b := r.Body.String(); b != "content of "+f.Name || r.Header().Get("Content-Type") != f.Type {
			t.Errorf("%s: %q %q", f.Name, b, r.Header().Get("Content-Type"))
		}
	}
	policy := get(t, h, "/report.html", "localhost").Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, render.Policy()) || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the report's policy is %q", policy)
	}
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "report.md")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	if r := get(t, h, "/report.md", "localhost"); r.Code != http.StatusNotFound {
		t.Errorf("a link out of the folder: %d", r.Code)
	}
}

// serve runs the real server; the URL is its base.
func serve(t *testing.T, snapshot func() web.Live, o web.Options) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l, err := web.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, l, web.New(snapshot, o), slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(3 * time.Second):
			t.Error("the server does not end")
		}
	})
	return "http://" + l.Addr().String()
}

func watch(t *testing.T, url string, header http.Header) *bufio.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	return bufio.NewReader(answer.Body)
}

// line reads up to the next line with this beginning and returns what follows it.
func line(t *testing.T, r *bufio.Reader, begin string) string {
	t.Helper()
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no line with %q: %v", begin, err)
		}
		if rest, ok := strings.CutPrefix(strings.TrimSuffix(l, "\n"), begin); ok {
			return rest
		}
	}
}

func TestStream(t *testing.T) {
	var generated atomic.Uint64
	url := serve(t, func() web.Live {
		return web.Live{Phase: web.Streaming, Note: "a\nb", Totals: web.Totals{Generated: generated.Load()}}
	}, web.Options{Interval: time.Millisecond, Heartbeat: 5 * time.Millisecond})
	for _, last := range []string{"", "7", "garbage\"", strings.Repeat("9", 400)} {
		r := watch(t, url, http.Header{"Last-Event-ID": {last}})
		for range 3 {
			var live web.Live
			for want := generated.Load(); ; { // a first look may be an interval old
				if err := json.Unmarshal([]byte(line(t, r, "data: ")), &live); err != nil {
					t.Fatal(err)
				}
				if live.Totals.Generated > want || live.Note != "a\nb" {
					t.Fatalf("%+v, want %d generated", live, want)
				}
				if live.Totals.Generated == want {
					break
				}
			}
			line(t, r, ":") // nothing changes: a heartbeat
			generated.Add(1)
		}
	}
}

// However many pages look, the run is looked at once per interval.
func TestSnapshotIsShared(t *testing.T) {
	var looks atomic.Int64
	url := serve(t, func() web.Live { looks.Add(1); return still() }, web.Options{Interval: time.Hour})
	for range 5 {
		line(t, watch(t, url, nil), "data: ")
	}
	if n := looks.Load(); n != 1 {
		t.Errorf("%d looks, want 1", n)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	url := serve(t, still, web.Options{Clients: 1, Interval: time.Millisecond})
	line(t, watch(t, url, nil), "data: ")
	r, err := http.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("a second stream: %s", r.Status)
	}
}

// A client that does not read is dropped, and its place is free again.
func TestSlowClientIsDropped(t *testing.T) {
	var n atomic.Uint64
	note := strings.Repeat("x", 1<<20) // fills the sockets' buffers soon
	url := serve(t, func() web.Live {
		return web.Live{Note: note, Totals: web.Totals{Generated: n.Add(1)}}
	}, web.Options{Clients: 1, Interval: time.Millisecond, Patience: 50 * time.Millisecond})
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
		t.Fatal(err) // it has the place now, and reads no more
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		r, err := http.Get(url + "/events")
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the slow client still has the only place")
		}
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.168.1.1:80", "example.org:80", "[::]:0", "nonsense"} {
		if l, err := web.Listen(t.Context(), address); err == nil {
			_ = l.Close()
			t.Errorf("%q was opened", address)
		}
	}
	l, err := web.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = web.Listen(t.Context(), l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "another program has this port") {
		t.Errorf("a busy port: %v", err)
	}
}

// Inside a container the port is open to whoever published it.
func TestListenPublished(t *testing.T) {
	l, err := web.ListenPublished(t.Context(), ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsUnspecified() {
		t.Errorf("it listens on %s", l.Addr())
	}
	if _, err := web.ListenPublished(t.Context(), "nonsense"); err == nil || !strings.Contains(err.Error(), "want host:port") {
		t.Errorf("no address: %v", err)
	}
}
