package doctor

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Machine is what is asked about the place where this runs. Amounts are bytes.
type Machine struct {
	Memory   func() (free uint64, err error)
	Disk     func(dir string) (free uint64, err error)
	Write    func(dir string) error
	Files    func() (limit uint64, err error)
	Loopback func(ctx context.Context) error
	Find     func(program string) error
	Output   func(ctx context.Context, program string, args ...string) (string, error)

	Openers         []string // programs that open a page
	InstallCompiler string   // what to type for a C compiler
}

// ThisMachine asks the operating system.
func ThisMachine() Machine {
	m := Machine{
		Memory: memoryFree, Disk: diskFree, Files: fileLimit,
		Write: tryWrite, Loopback: tryLoopback,
		Find: func(program string) error { _, err := exec.LookPath(program); return err },
		Output: func(ctx context.Context, program string, args ...string) (string, error) {
			out, err := exec.CommandContext(ctx, program, args...).Output()
			return string(out), err
		},
		Openers:         []string{"xdg-open"},
		InstallCompiler: "apt-get install gcc libc6-dev, or the like",
	}
	if runtime.GOOS == "darwin" {
		m.Openers, m.InstallCompiler = []string{"open"}, "xcode-select --install"
	}
	return m
}

// existing is the nearest folder above dir that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// tryWrite writes and removes a file in dir, or in the folder where dir would be made.
func tryWrite(dir string) error {
	file, err := os.CreateTemp(existing(dir), ".doctor-*")
	if err != nil {
		return fmt.Errorf("cannot write to %q: %w", dir, err)
	}
	_, err = file.WriteString("x")
	if closed := file.Close(); err == nil {
		err = closed
	}
	if removed := os.Remove(file.Name()); err == nil {
		err = removed
	}
	if err != nil {
		return fmt.Errorf("cannot write to %q: %w", dir, err)
	}
	return nil
}

// tryLoopback opens a port and connects to it.
func tryLoopback(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cannot listen on 127.0.0.1: %w", err)
	}
	defer listener.Close()
	dialer := net.Dialer{Timeout: 2 * time.Second}
	client, err := dialer.DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return fmt.Errorf("cannot connect to 127.0.0.1: %w", err)
	}
	return client.Close()
}
