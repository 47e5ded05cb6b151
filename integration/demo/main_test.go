package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs under test and the project's folder, set by TestMain.
var parallax, generator, root string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

// buildAndRun builds the programs once for all tests, as a user would.
func buildAndRun(m *testing.M) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "cannot build the programs under test:", err)
		return 1
	}
	var err error
	if root, err = filepath.Abs("../.."); err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "parallax-bin-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // another user runs it in one test
		return fail(err)
	}
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator),
		"parallax.example/cmd/parallax", "parallax.example/services/generator/cmd/generator")
	build.Dir = root
	build.Env = append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "CGO_ENABLED=1")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fail(err)
	}
	parallax, generator = filepath.Join(dir, "parallax"), filepath.Join(dir, "generator")
	return m.Run()
}
