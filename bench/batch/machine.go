package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// machine is where the figures come from.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Commit string `json:"commit"` // of the project
}

func describe(ctx context.Context) (machine, error) {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	var memory string
	for _, f := range []struct {
		to         *string
		file, name string
	}{{&m.CPU, "/proc/cpuinfo", "model name"}, {&memory, "/proc/meminfo", "MemTotal"}, {&m.Kernel, "/proc/sys/kernel/osrelease", ""}} {
		text, err := os.ReadFile(f.file)
		if err != nil {
			return m, fmt.Errorf("cannot describe the machine: %w", err)
		}
		*f.to = field(string(text), f.name)
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(memory, " kB"), 10, 64)
	if err != nil {
		return m, fmt.Errorf("cannot describe the machine: %w", err)
	}
	m.Memory = kib << 10
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	return m, nil
}

// field finds "name : value"; without a name it is all of the text.
func field(text, name string) string {
	if name == "" {
		return strings.TrimSpace(text)
	}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (m machine) String() string {
	return fmt.Sprintf("Machine: %s, %d cores, %.0f GiB, Linux %s; %s; commit %s.", m.CPU, m.Cores, float64(m.Memory)/(1<<30), m.Kernel, m.Go, m.Commit)
}
