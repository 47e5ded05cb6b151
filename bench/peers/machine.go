package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// machine is where the figures come from.
type machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Memory  int64  `json:"memory_bytes"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	Java    string `json:"java"`
	Kafka   string `json:"kafka"`
	Flink   string `json:"flink"`
	Clients string `json:"clients"`
	Commit  string `json:"commit"` // of the project
}

func describe(ctx context.Context, l *lab) (machine, error) {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Kafka: "Apache Kafka " + kafkaVersion + " (one KRaft broker, 1 GiB heap, the same cores)", Flink: flinkVersion}
	if l.broker == nil {
		m.Kafka = "a Kafka that ran already, whose CPU was not measured"
	}
	for _, f := range []struct {
		to         *string
		file, name string
	}{{&m.CPU, "/proc/cpuinfo", "model name"}, {&m.Kernel, "/proc/sys/kernel/osrelease", ""}} {
		text, err := os.ReadFile(f.file)
		if err != nil {
			return m, fmt.Errorf("cannot describe the machine: %w", err)
		}
		*f.to = field(string(text), f.name)
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, fmt.Errorf("cannot describe the machine: %w", err)
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSuffix(field(string(text), "MemTotal"), " kB"), 10, 64)
	if err != nil {
		return m, fmt.Errorf("cannot describe the machine: %w", err)
	}
	m.Memory = kilobytes << 10
	if out, err := exec.CommandContext(ctx, "java", "-version").CombinedOutput(); err == nil {
		m.Java, _, _ = strings.Cut(string(out), "\n")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		var clients []string
		for _, d := range info.Deps {
			if strings.HasPrefix(d.Path, "github.com/confluentinc/confluent-kafka-go") || d.Path == "github.com/twmb/franz-go" {
				clients = append(clients, strings.TrimPrefix(d.Path, "github.com/")+" "+d.Version)
			}
		}
		m.Clients = strings.Join(clients, ", ")
	}
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	cmd.Dir = l.root
	if out, err := cmd.Output(); err == nil {
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
	return fmt.Sprintf("Machine: %s, %d cores, %.0f GiB, Linux %s; %s; %s; %s; Flink %s; %s; commit %s.\n",
		m.CPU, m.Cores, float64(m.Memory)/(1<<30), m.Kernel, m.Go, m.Java, m.Kafka, m.Flink, m.Clients, m.Commit)
}
