package architecture

import (
	"slices"
	"strings"
)

const own = "parallax.example/"

// doors are the libraries that one room alone may import, also in tests.
var doors = map[string]string{
	"github.com/confluentinc/confluent-kafka-go": own + "internal/kafka",
	"github.com/twmb/franz-go":                   own + "internal/broker",
	"github.com/parquet-go/parquet-go":           own + "internal/parquet",
	"github.com/apache/arrow":                    own + "internal/arrow",
	"github.com/alecthomas/kong":                 own + "internal/config",
}

// pure are the rooms that do no I/O, with the codecs they may use beside the
// standard library and each other. Their tests are free.
var (
	pure   = []string{"internal/event", "internal/view", "internal/result", "internal/sketch", "internal/oracle"}
	codecs = []string{"github.com/cespare/xxhash/v2", "google.golang.org/protobuf/encoding/protowire", "go.yaml.in/yaml/v3"}
	// withIO are the parts of the standard library which a pure room has no use for.
	withIO = []string{"net", "os", "os/exec", "syscall", "math/rand", "math/rand/v2", "net/http", "log", "log/slog"}
)

// static is the program that must stay free of cgo and of Kafka.
const static = own + "services/batch/cmd/batch"

// broken returns one line per import that breaks a rule.
func broken(packages []pkg) []string {
	var faults []string
	for _, p := range packages {
		if p.own() {
			for _, imported := range p.Imports {
				faults = append(faults, judge(p.ImportPath, imported, false)...)
			}
			for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
				faults = append(faults, judge(p.ImportPath, imported, true)...)
			}
		}
	}
	return append(faults, reached(packages)...)
}

// judge judges one edge.
func judge(from, to string, test bool) []string {
	var faults []string
	forbid := func(why string) {
		faults = append(faults, strings.TrimPrefix(from, own)+" imports "+strings.TrimPrefix(to, own)+": "+why)
	}
	for library, door := range doors {
		if within(to, library) && !within(from, door) {
			forbid("only " + strings.TrimPrefix(door, own) + " may")
		}
	}
	if rank(to) > rank(from) || rank(to) == top && layer(from) != layer(to) {
		forbid("imports point from cmd, integration and bench to services to internal")
	}
	if a, b := service(from), service(to); a != "" && b != "" && a != b {
		forbid("services meet in Kafka, the lake and the ledger only")
	}
	if !within(from, own) || !within(to, own) && test {
		return faults
	}
	if room := strings.TrimPrefix(from, own); slices.ContainsFunc(pure, func(p string) bool { return within(room, p) }) && !test {
		switch {
		case within(to, own):
			if !slices.Contains(pure, strings.TrimPrefix(to, own)) {
				forbid("a pure room imports pure rooms only")
			}
		case slices.Contains(withIO, to):
			forbid("a pure room does no I/O, logs nothing and draws no numbers")
		case strings.Contains(strings.Split(to, "/")[0], ".") && !slices.Contains(codecs, to):
			forbid("a pure room uses the standard library and a codec")
		}
	}
	return faults
}

// top is the rank of cmd, integration and bench, which nothing else imports.
const top = 3

// rank orders the layers; nothing imports a higher one.
func rank(path string) int {
	switch layer(path) {
	case "":
		return 0
	case "internal":
		return 1
	case "services":
		return 2
	default:
		return top
	}
}

// layer is the first folder of one of our packages, or "".
func layer(path string) string {
	rest, ok := strings.CutPrefix(path, own)
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

// service is the name of the service that the package belongs to, or "".
func service(path string) string {
	rest, ok := strings.CutPrefix(path, own+"services/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// reached follows the imports of the static program.
func reached(packages []pkg) []string {
	byPath := map[string]pkg{}
	for _, p := range packages {
		byPath[p.ImportPath] = p
	}
	var faults []string
	from := map[string]string{static: ""}
	for queue := []string{static}; len(queue) > 0; queue = queue[1:] {
		p := byPath[queue[0]]
		way := func() string {
			way := strings.TrimPrefix(p.ImportPath, own)
			for at := from[p.ImportPath]; at != ""; at = from[at] {
				way = strings.TrimPrefix(at, own) + " → " + way
			}
			return way
		}
		switch {
		case p.ImportPath == own+"internal/kafka":
			faults = append(faults, way()+": batch reads files, never Kafka")
		case len(p.CgoFiles) > 0 && !p.Standard:
			faults = append(faults, way()+": batch is a static program without cgo")
		}
		for _, imported := range p.Imports {
			if _, seen := from[imported]; !seen {
				from[imported] = p.ImportPath
				queue = append(queue, imported)
			}
		}
	}
	return faults
}

// within reports whether path is root or below it. A root ends at a slash, or
// at the suffix of a major version.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}
