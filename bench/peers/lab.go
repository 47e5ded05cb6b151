package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
)

// Setup is what every part needs.
type Setup struct {
	Dir     string   `default:"bench/peers" placeholder:"DIR" help:"This bench's folder in the project."`
	Cache   string   `placeholder:"DIR" help:"Where downloads, builds and Kafka's data lie. Empty: .cache in the bench's folder."`
	Out     string   `placeholder:"DIR" help:"Where the results go. Empty: results in the bench's folder."`
	Brokers string   `placeholder:"HOST:PORT,…" help:"Use this Kafka instead of starting one; its CPU is then not measured."`
	Port    int      `default:"19092" help:"Port of the broker on 127.0.0.1; its controller takes the next one."`
	Engines []string `placeholder:"NAME,…" help:"Only these engines."`
	Small   bool     `help:"The built-in week instead of millions, short runs: does everything work?"`
	Program string   `placeholder:"FILE" help:"Measure this processor program instead of building one."`
}

// Validate reports what the tags cannot say.
func (s *Setup) Validate() []config.Fault {
	var faults []config.Fault
	if s.Port < 1 || s.Port > 65534 {
		faults = append(faults, config.Faultf("--port", "%d must be from 1 to 65534", s.Port))
	}
	for _, name := range s.Engines {
		if !slices.ContainsFunc(slices.Concat(throughputEngines, latencyEngines), func(e engine) bool { return e.name == name }) {
			faults = append(faults, config.Faultf("--engines", "%q is none of %s", name, names(slices.Concat(throughputEngines, latencyEngines))))
		}
	}
	return faults
}

func names(engines []engine) string {
	var list []string
	for _, e := range engines {
		list = append(list, e.name)
	}
	return strings.Join(list, ", ")
}

// chosen are the engines of a list that were asked for.
func (s *Setup) chosen(engines []engine) []engine {
	if len(s.Engines) == 0 {
		return engines
	}
	return slices.DeleteFunc(slices.Clone(engines), func(e engine) bool { return !slices.Contains(s.Engines, e.name) })
}

// lab is a running broker, the programs, and where things lie. Paths are absolute.
type lab struct {
	root, dir, cache, out string
	program               string // the processor
	kafka                 kafka.Config
	admin                 *kafka.Admin
	broker                *process // nil if somebody else's
	machine               machine
	small                 bool
	say                   io.Writer
	jobs                  int // numbers groups and topics
}

// with builds what is missing, starts the broker, runs f and ends the broker.
func (s *Setup) with(ctx context.Context, f func(*lab) error) (err error) {
	l := &lab{small: s.Small, say: os.Stderr}
	for _, p := range []struct {
		to          *string
		from, other string
	}{{&l.dir, s.Dir, ""}, {&l.cache, s.Cache, filepath.Join(s.Dir, ".cache")}, {&l.out, s.Out, filepath.Join(s.Dir, "results")}} {
		path := p.from
		if path == "" {
			path = p.other
		}
		if *p.to, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	l.root = filepath.Dir(filepath.Dir(l.dir))
	if _, err := os.Stat(filepath.Join(l.dir, "java", "pom.xml")); err != nil {
		return fmt.Errorf("cannot find the engines: %w; run this in the project's root, or name the folder with --dir", err)
	}
	for _, dir := range []string{l.cache, l.out} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := l.build(ctx, s.Program); err != nil {
		return err
	}
	l.kafka = kafka.Config{Brokers: s.Brokers, ClientID: "bench"}
	if s.Brokers == "" {
		l.kafka.Brokers = fmt.Sprintf("127.0.0.1:%d", s.Port)
		if l.broker, err = l.startBroker(ctx, s.Port); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.broker.stop(time.Minute)) }()
	}
	if l.admin, err = kafka.NewAdmin(l.kafka); err != nil {
		return err
	}
	defer l.admin.Close()
	if err := l.admin.Ping(ctx); err != nil {
		return err
	}
	if l.machine, err = describe(ctx, l); err != nil {
		return err
	}
	return f(l)
}

// progress is one line for who waits.
func (l *lab) progress(format string, args ...any) {
	fmt.Fprintf(l.say, time.Now().Format(time.TimeOnly)+"  "+format+"\n", args...)
}

// brokerCPU is what the broker has used so far; 0 if it is somebody else's.
func (l *lab) brokerCPU() (time.Duration, error) {
	if l.broker == nil {
		return 0, nil
	}
	return l.broker.cpu()
}
