package config_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parallax.example/internal/config"
)

// ask asks for a program's health as a container does, and returns the exit
// code and what is said.
func ask(t *testing.T, address string) (code int, said string) {
	t.Helper()
	_, err := config.Parse([]string{"--health=" + address}, &service{}, options(map[string]string{"PARALLAX_SPEED": "none"}))
	var out bytes.Buffer
	return config.Report(&out, "service", err), out.String()
}

func TestHealth(t *testing.T) {
	well := true
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !well {
			http.Error(w, "the disk is full", http.StatusServiceUnavailable)
		}
	})
	server := httptest.NewServer(mux)
	address := strings.TrimPrefix(server.URL, "http://")
	if code, said := ask(t, address); code != config.ExitOK || said != "" {
		t.Errorf("well: %d %q", code, said)
	}
	well = false
	if code, said := ask(t, address); code != 1 || !strings.Contains(said, "503") || !strings.Contains(said, "the disk is full") {
		t.Errorf("unwell: %d %q", code, said)
	}
	server.Close()
	if code, said := ask(t, address); code != 1 || !strings.Contains(said, address) {
		t.Errorf("gone: %d %q", code, said)
	}
	if code, said := ask(t, "nowhere"); code != 1 || !strings.Contains(said, "want host:port") {
		t.Errorf("no address: %d %q", code, said)
	}
}

// A program that takes the connection and says nothing is not well.
func TestHealthOfTheSilent(t *testing.T) {
	var listening net.ListenConfig
	l, err := listening.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if code, said := ask(t, l.Addr().String()); code != 1 || !strings.Contains(said, "deadline") {
		t.Errorf("%d %q", code, said)
	}
}

// What is asked is asked on the command line: no variable and no file turns a
// run into an answer.
func TestQuestionsAreNoSettings(t *testing.T) {
	var s service
	if _, err := config.Parse(nil, &s, options(map[string]string{"PARALLAX_HEALTH": "127.0.0.1:1", "PARALLAX_VERSION": "true", "PARALLAX_HELP": "true"})); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte("health: 127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var f config.Faults
	if _, err := config.Parse([]string{"--config", path}, &s, options(nil)); !errors.As(err, &f) || !strings.Contains(f.Error(), "unknown setting") {
		t.Error(err)
	}
}

func TestVersion(t *testing.T) {
	o := options(nil)
	out := new(bytes.Buffer)
	o.Stdout = out
	if _, err := config.Parse([]string{"--version"}, &service{}, o); !errors.Is(err, config.ErrAnswered) {
		t.Error(err)
	}
	if got, want := out.String(), "service "+config.Version()+"\n"; got != want || config.Version() == "" {
		t.Errorf("%q, want %q", got, want)
	}
}
