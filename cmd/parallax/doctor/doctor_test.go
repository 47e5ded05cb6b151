package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parallax.example/cmd/parallax/doctor"
)

var errGone = errors.New("it is gone")

// healthy lacks nothing.
func healthy() doctor.Machine {
	return doctor.Machine{
		Memory:   func() (uint64, error) { return 4 << 30, nil },
		Disk:     func(string) (uint64, error) { return 40 << 30, nil },
		Write:    func(string) error { return nil },
		Files:    func() (uint64, error) { return 4096, nil },
		Loopback: func(context.Context) error { return nil },
		Find:     func(string) error { return nil },
		Output: func(context.Context, string, ...string) (string, error) {
			return "go1.26.8\n1\ngcc\n", nil
		},
		Openers: []string{"open"}, InstallCompiler: "install gcc",
	}
}

func TestExamine(t *testing.T) {
	f := func(check string, state doctor.State, found, remedy string, change func(*doctor.Machine)) {
		t.Helper()
		m := healthy()
		change(&m)
		report := doctor.Examine(t.Context(), m, "runs")
		for _, c := range report.Checks {
			if c.Name == check {
				if c.State != state || !strings.Contains(c.Found, found) || !strings.Contains(c.Type, remedy) || (remedy == "") != (c.Type == "") {
					t.Errorf("%s: got %+v, want %s, %q, %q", check, c, state, found, remedy)
				}
			} else if c.State != doctor.OK && !(check == "c compiler" && c.Name == "go") {
				t.Errorf("with a bad %s also: %+v", check, c)
			}
		}
		if err := report.Err(); (err != nil) != (state == doctor.Missing) {
			t.Errorf("%s is %s: %v", check, state, err)
		}
	}
	f("go", doctor.OK, "go1.26.8", "", func(*doctor.Machine) {})
	f("memory", doctor.Missing, "512 MiB free, 1024 MiB needed", "close other", func(m *doctor.Machine) {
		m.Memory = func() (uint64, error) { return 512 << 20, nil }
	})
	f("memory", doctor.Unknown, "gone", "", func(m *doctor.Machine) {
		m.Memory = func() (uint64, error) { return 0, errGone }
	})
	f("disk", doctor.Missing, "1 MiB free", "--runs", func(m *doctor.Machine) {
		m.Disk = func(string) (uint64, error) { return 1 << 20, nil }
	})
	f("run folder", doctor.Missing, "gone", "--runs", func(m *doctor.Machine) { m.Write = func(string) error { return errGone } })
	f("open files", doctor.Missing, "at most 64", "ulimit", func(m *doctor.Machine) {
		m.Files = func() (uint64, error) { return 64, nil }
	})
	f("loopback", doctor.Missing, "gone", "127.0.0.1", func(m *doctor.Machine) { m.Loopback = func(context.Context) error { return errGone } })
	f("go", doctor.Optional, "go1.20", "go.dev/dl", func(m *doctor.Machine) {
		m.Output = func(context.Context, string, ...string) (string, error) { return "go1.20\n1\ngcc\n", nil }
	})
	f("go", doctor.Optional, "no go command", "go.dev/dl", func(m *doctor.Machine) {
		m.Output = func(context.Context, string, ...string) (string, error) { return "", errGone }
	})
	f("c compiler", doctor.Optional, "switched off", "CGO_ENABLED=1", func(m *doctor.Machine) {
		m.Output = func(context.Context, string, ...string) (string, error) { return "go1.26.8\n0\ngcc\n", nil }
	})
	f("c compiler", doctor.Optional, "no clang", "install gcc", func(m *doctor.Machine) {
		m.Output = func(context.Context, string, ...string) (string, error) { return "go1.27.0\n1\nclang -O\n", nil }
		m.Find = func(program string) error {
			if program == "clang" {
				return errGone
			}
			return nil
		}
	})
	f("browser", doctor.Optional, "nothing", "any browser", func(m *doctor.Machine) { m.Openers = nil })
}

func TestReport(t *testing.T) {
	m := healthy()
	m.Loopback = func(context.Context) error { return errGone }
	report := doctor.Examine(t.Context(), m, "runs")
	var text, machine bytes.Buffer
	if err := errors.Join(report.WriteText(&text), report.WriteJSON(&machine)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "missing   loopback    it is gone\n") || strings.Contains(text.String(), "Everything is here") {
		t.Errorf("the text is\n%s", text.String())
	}
	var back doctor.Report
	if err := json.Unmarshal(machine.Bytes(), &back); err != nil || back.Schema != 1 || len(back.Checks) != len(report.Checks) {
		t.Errorf("%v from\n%s", err, machine.String())
	}
}

// The real machine is asked without leaving a trace.
func TestThisMachine(t *testing.T) {
	dir := t.TempDir()
	m := doctor.ThisMachine()
	if err := m.Write(filepath.Join(dir, "a", "runs")); err != nil {
		t.Error(err)
	}
	if err := m.Loopback(t.Context()); err != nil {
		t.Error(err)
	}
	if free, err := m.Disk(filepath.Join(dir, "a", "runs")); err != nil || free == 0 {
		t.Errorf("disk: %d, %v", free, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	plain := filepath.Join(dir, "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Write(plain); err == nil {
		t.Error("a file passes for a folder")
	}
}
