package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkg is what "go list" says of a package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	CgoFiles                           []string
	Standard                           bool
}

func (p pkg) own() bool { return within(p.ImportPath, own) }

// list asks the go command for every package of the workspace and all they
// import. The workspace is two folders up.
func list(t *testing.T) []pkg {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-json=ImportPath,Imports,TestImports,XTestImports,CgoFiles,Standard", "work")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "CGO_ENABLED=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list the packages: %v\n%s", err, stderr.String())
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImports(t *testing.T) {
	packages := list(t)
	// The checker must have seen what it judges.
	for _, room := range []string{"internal/event", "internal/kafka", "internal/config"} {
		if !slices.ContainsFunc(packages, func(p pkg) bool { return p.ImportPath == own+room }) {
			t.Errorf("the list of packages lacks %s", room)
		}
	}
	if !slices.ContainsFunc(packages, func(p pkg) bool { return p.ImportPath == static }) {
		t.Errorf("the list of packages lacks %s", static)
	}
	for _, fault := range broken(packages) {
		t.Error(fault)
	}
}

// The rules are only worth something if they can be broken.
func TestTheRulesCanBeBroken(t *testing.T) {
	f := func(want, from, to string) {
		t.Helper()
		faults := broken([]pkg{{ImportPath: own + from, Imports: []string{to}}})
		if len(faults) != 1 || !strings.Contains(faults[0], want) {
			t.Errorf("%s imports %s: got %q, want one fault with %q", from, to, faults, want)
		}
	}
	f("only internal/kafka may", "internal/lake", "github.com/confluentinc/confluent-kafka-go/v2/kafka")
	f("only internal/broker may", "services/generator", "github.com/twmb/franz-go/pkg/kfake")
	f("only internal/parquet may", "services/batch/scan", "github.com/parquet-go/parquet-go")
	f("only internal/arrow may", "services/batch/mapreduce", "github.com/apache/arrow/go/v17/arrow/ipc")
	f("point from", "internal/lake", own+"services/batch")
	f("point from", "services/batch", own+"cmd/parallax/doctor")
	f("point from", "cmd/parallax", own+"integration/architecture")
	f("point from", "integration", own+"bench")
	f("services meet", "services/processor", own+"services/generator")
	f("pure rooms only", "internal/event", own+"internal/lake")
	f("no I/O", "internal/oracle", "os")
	f("a codec", "internal/result", "golang.org/x/sync/errgroup")

	allowed := []pkg{
		{ImportPath: own + "internal/kafka", Imports: []string{"github.com/confluentinc/confluent-kafka-go/v2/kafka", own + "internal/event"}},
		{ImportPath: own + "internal/event", Imports: []string{"fmt", "google.golang.org/protobuf/encoding/protowire"}, XTestImports: []string{"os", "pgregory.net/rapid"}},
		{ImportPath: own + "services/batch/scan", Imports: []string{own + "services/batch/mapreduce", own + "internal/parquet"}},
	}
	if faults := broken(allowed); len(faults) > 0 {
		t.Errorf("allowed imports are refused: %q", faults)
	}

	// A test that takes a door's library is found as well, but a test of a pure room may do I/O.
	if faults := broken([]pkg{{ImportPath: own + "internal/lake", XTestImports: []string{"github.com/twmb/franz-go/pkg/kfake"}}}); len(faults) != 1 {
		t.Errorf("a test's import: %q", faults)
	}

	// The static program, by a detour.
	detour := []pkg{
		{ImportPath: static, Imports: []string{own + "services/batch/scan"}},
		{ImportPath: own + "services/batch/scan", Imports: []string{own + "internal/kafka", "example.com/c"}},
		{ImportPath: own + "internal/kafka"},
		{ImportPath: "example.com/c", CgoFiles: []string{"c.go"}},
		{ImportPath: "net", CgoFiles: []string{"cgo.go"}, Standard: true},
	}
	want := []string{
		"services/batch/cmd/batch → services/batch/scan → internal/kafka: batch reads files, never Kafka",
		"services/batch/cmd/batch → services/batch/scan → example.com/c: batch is a static program without cgo",
	}
	if faults := broken(detour); !slices.Equal(faults, want) {
		t.Errorf("got %q\nwant %q", faults, want)
	}
}
