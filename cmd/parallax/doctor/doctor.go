// Package doctor says what a machine lacks for building and running Parallax,
// and what to type about it. It changes nothing.
package doctor

import (
	"context"
	"fmt"
	"go/version"
	"strings"
)

// What a demonstration needs, with room to spare.
const (
	needMemory = 1 << 30   // bytes
	needDisk   = 512 << 20 // bytes
	needFiles  = 512       // open at once
	needGo     = "go1.26"
)

// State of one check.
type State string

// The states of a check. Only Missing keeps Parallax from running.
const (
	OK       State = "ok"
	Optional State = "optional" // missing, and needed for building or comfort only
	Unknown  State = "unknown"  // this machine does not tell
	Missing  State = "missing"
)

// Check is the outcome of one examination.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Found string `json:"found"`
	Type  string `json:"type,omitempty"` // what to type, or to do
}

// Examine looks at the machine; runs is the folder that runs are written to.
func Examine(ctx context.Context, m Machine, runs string) Report {
	toolchain, compiler := building(ctx, m)
	return Report{Schema: 1, Checks: []Check{
		memory(m), disk(m, runs), writable(m, runs), files(m), port(ctx, m),
		toolchain, compiler, browser(m),
	}}
}

func memory(m Machine) Check {
	free, err := m.Memory()
	return enough("memory", free, needMemory, err, "close other programs, or give this container more memory")
}

func disk(m Machine, runs string) Check {
	free, err := m.Disk(runs)
	return enough("disk", free, needDisk, err, fmt.Sprintf("free some space, or choose another place than %q with --runs", runs))
}

// enough compares an amount of bytes.
func enough(name string, have, need uint64, err error, remedy string) Check {
	switch {
	case err != nil:
		return Check{Name: name, State: Unknown, Found: err.Error()}
	case have < need:
		return Check{Name: name, State: Missing, Found: fmt.Sprintf("%s free, %s needed", size(have), size(need)), Type: remedy}
	}
	return Check{Name: name, State: OK, Found: size(have) + " free"}
}

func writable(m Machine, runs string) Check {
	if err := m.Write(runs); err != nil {
		return Check{Name: "run folder", State: Missing, Found: err.Error(), Type: "choose a folder that you may write to with --runs"}
	}
	return Check{Name: "run folder", State: OK, Found: fmt.Sprintf("%q can be written", runs)}
}

func files(m Machine) Check {
	limit, err := m.Files()
	switch {
	case err != nil:
		return Check{Name: "open files", State: Unknown, Found: err.Error()}
	case limit < needFiles:
		return Check{Name: "open files", State: Missing, Found: fmt.Sprintf("at most %d, %d needed", limit, needFiles), Type: "ulimit -n 4096"}
	}
	return Check{Name: "open files", State: OK, Found: fmt.Sprintf("at most %d", limit)}
}

func port(ctx context.Context, m Machine) Check {
	if err := m.Loopback(ctx); err != nil {
		return Check{Name: "loopback", State: Missing, Found: err.Error(), Type: "allow programs to listen on 127.0.0.1"}
	}
	return Check{Name: "loopback", State: OK, Found: "a port of 127.0.0.1 can be opened and reached"}
}

// building looks for Go and a C compiler, which a built program does not need.
func building(ctx context.Context, m Machine) (toolchain, compiler Check) {
	toolchain = Check{Name: "go", State: Optional, Type: "install " + needGo + " or later from https://go.dev/dl (for building only)"}
	compiler = Check{Name: "c compiler", State: Optional, Type: m.InstallCompiler + " (for building only)"}
	cc := "cc"
	out, err := m.Output(ctx, "go", "env", "GOVERSION", "CGO_ENABLED", "CC")
	if fields := strings.Split(strings.TrimSpace(out), "\n"); err != nil || len(fields) != 3 {
		toolchain.Found = "no go command"
	} else {
		toolchain.Found = fields[0]
		if version.Compare(fields[0], needGo) >= 0 {
			toolchain.State, toolchain.Type = OK, ""
		}
		cc = fields[2]
		if fields[1] != "1" {
			compiler.Found, compiler.Type = "cgo is switched off", "go env -w CGO_ENABLED=1 (for building only)"
			if m.Find(cc) != nil {
				compiler.Type = m.InstallCompiler + ", then go env -w CGO_ENABLED=1 (for building only)"
			}
			return toolchain, compiler
		}
	}
	name, _, _ := strings.Cut(cc, " ") // CC may carry flags
	if err := m.Find(name); err != nil {
		compiler.Found = "no " + name
		return toolchain, compiler
	}
	return toolchain, Check{Name: "c compiler", State: OK, Found: name}
}

func browser(m Machine) Check {
	for _, opener := range m.Openers {
		if m.Find(opener) == nil {
			return Check{Name: "browser", State: OK, Found: opener}
		}
	}
	return Check{Name: "browser", State: Optional, Found: "nothing that opens a page", Type: "copy the page's address to any browser"}
}

func size(bytes uint64) string {
	if bytes >= 10<<30 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
