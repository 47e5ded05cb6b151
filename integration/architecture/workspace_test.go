package architecture

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is what "go mod edit -json" and "go work edit -json" say.
type module struct {
	Dir     string `json:"-"` // relative to the root
	Go      string
	Module  struct{ Path string }
	Use     []struct{ DiskPath string } // of go.work
	Require []struct{ Path, Version string }
	Replace []struct{ Old, New struct{ Path string } }
}

// tools is the one module outside the workspace: what the linters are built
// from must not raise a version of what the programs are built from.
const tools = "tools"

func TestWorkspace(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(kind, file string) module {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "go", kind, "edit", "-json", file).Output()
		if err != nil {
			t.Fatalf("cannot read %s: %v", file, err)
		}
		var m module
		if err := json.Unmarshal(out, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	text, err := os.ReadFile(filepath.Join(root, ".go-version"))
	if err != nil {
		t.Fatal(err)
	}
	work := edit("work", filepath.Join(root, "go.work"))
	var modules []module
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "runs" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.Name() != "go.mod":
			return nil
		}
		m := edit("mod", path)
		m.Dir, err = filepath.Rel(root, filepath.Dir(path))
		modules = append(modules, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) < 9 {
		t.Errorf("found only %d modules", len(modules))
	}
	for _, fault := range untidy(strings.TrimSpace(string(text)), work, modules) {
		t.Error(fault)
	}
}

// untidy returns what the modules do not agree upon.
func untidy(version string, work module, modules []module) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if work.Go != version {
		fault("go.work says go %s, .go-version %s", work.Go, version)
	}
	var used []string
	for _, u := range work.Use {
		used = append(used, filepath.Clean(u.DiskPath))
	}
	type use struct{ version, by string }
	seen := map[string]use{}
	for _, m := range modules {
		if m.Go != version {
			fault("%s/go.mod says go %s, .go-version %s", m.Dir, m.Go, version)
		}
		if want := own + filepath.ToSlash(m.Dir); m.Module.Path != want {
			fault("%s/go.mod calls itself %s, its folder says %s", m.Dir, m.Module.Path, want)
		}
		if m.Dir == tools {
			continue
		}
		if !slices.Contains(used, m.Dir) {
			fault("go.work does not use ./%s", m.Dir)
		}
		for _, r := range m.Require {
			switch first, known := seen[r.Path]; {
			case !known:
				seen[r.Path] = use{r.Version, m.Dir}
			case first.version != r.Version:
				fault("%s is %s in %s and %s in %s; run make fix-work fix-tidy", r.Path, first.version, first.by, r.Version, m.Dir)
			}
			if !within(r.Path, own) {
				continue
			}
			there := ""
			for _, replace := range m.Replace {
				if replace.Old.Path == r.Path {
					there = filepath.ToSlash(filepath.Join(m.Dir, replace.New.Path))
				}
			}
			if own+there != r.Path {
				fault("%s/go.mod needs a relative replace for %s", m.Dir, r.Path)
			}
		}
	}
	return faults
}

func TestWorkspaceRulesCanBeBroken(t *testing.T) {
	var work, a, b, outside module
	decode := func(m *module, dir, text string) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		m.Dir = dir
	}
	decode(&work, "", `{"Go": "1.2", "Use": [{"DiskPath": "./internal"}, {"DiskPath": "./services/a"}]}`)
	decode(&a, "internal", `{"Go": "1.2", "Module": {"Path": "parallax.example/internal"}, "Require": [{"Path": "x.org/x", "Version": "v1"}]}`)
	decode(&b, "services/a", `{"Go": "1.2", "Module": {"Path": "parallax.example/services/a"},
		"Require": [{"Path": "x.org/x", "Version": "v1"}, {"Path": "parallax.example/internal", "Version": "v0.0.0"}],
		"Replace": [{"Old": {"Path": "parallax.example/internal"}, "New": {"Path": "../../internal"}}]}`)
	if faults := untidy("1.2", work, []module{a, b}); len(faults) > 0 {
		t.Fatalf("a tidy workspace is refused: %q", faults)
	}
	decode(&outside, "bench", `{"Go": "1.3", "Module": {"Path": "parallax.example/bank"},
		"Require": [{"Path": "x.org/x", "Version": "v2"}, {"Path": "parallax.example/internal", "Version": "v0.0.0"}],
		"Replace": [{"Old": {"Path": "parallax.example/internal"}, "New": {"Path": "../elsewhere"}}]}`)
	if faults := untidy("1.2", work, []module{a, b, outside}); len(faults) != 5 {
		t.Errorf("got %d faults, want 5: %q", len(faults), faults)
	}
}
