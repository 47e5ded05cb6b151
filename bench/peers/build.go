package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// kafkaVersion is that of java/pom.xml; flinkVersion too.
const (
	kafkaVersion = "4.3.1"
	flinkVersion = "2.2.1"
)

// build makes every program that is measured. Maven and Go know themselves what
// is up to date.
func (l *lab) build(ctx context.Context, processor string) error {
	l.progress("building the engines (the first time Maven fetches about 150 MB)")
	if err := command(ctx, l.dir+"/java", "mvn", "--batch-mode", "--quiet", "-DbuildTo="+l.cache, "package"); err != nil {
		return err
	}
	for _, loop := range []string{"confluent", "franz"} {
		if err := command(ctx, filepath.Dir(l.dir), "go", "build", "-o", l.bin(loop), "peers/engines/"+loop+"/main.go"); err != nil {
			return err
		}
	}
	if processor != "" {
		var err error
		l.program, err = filepath.Abs(processor)
		return err
	}
	l.program = l.bin("processor")
	return command(ctx, l.root, "go", "build", "-o", l.program, "parallax.example/services/processor/cmd/processor")
}

func (l *lab) bin(name string) string { return filepath.Join(l.cache, "bin", name) }

// jars is the class path of a Java module.
func (l *lab) jars(module string) string {
	return filepath.Join(l.cache, "java", module, "*") + ":" + filepath.Join(l.dir, "java", "logging")
}

// command runs a program to its end; its output is shown if it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %q in %q: %w\n%s", append([]string{name}, args...), dir, err, out)
	}
	return nil
}
