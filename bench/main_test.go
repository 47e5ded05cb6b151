package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"parallax.example/internal/broker"
)

// asBroker in the environment makes this binary the broker.
const asBroker = "PARALLAX_BENCH_BROKER"

// folder is the process's own, for lakes and ledgers.
var folder string

func TestMain(m *testing.M) {
	var err error
	if os.Getenv(asBroker) != "" {
		err = serve()
	} else if folder, err = os.MkdirTemp("", "parallax-bench-"); err == nil {
		defer os.RemoveAll(folder)
		m.Run()
	}
	if err != nil {
		panic(err)
	}
}

// serve is the broker's process. It says its address and ends with its input,
// so also when who started it is killed.
func serve() error {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := fmt.Fprintln(os.Stdout, b.Addr()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// brokerInput is kept: if it were collected, it would be closed.
var brokerInput io.Closer

// theBroker is the address of the broker, started when it is first needed.
var theBroker = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	c := exec.Command(self)
	c.Env, c.Stderr = append(os.Environ(), asBroker+"=1"), os.Stderr
	if brokerInput, err = c.StdinPipe(); err != nil {
		return "", err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the broker's process does not say its address: %w", err)
	}
	return strings.TrimSpace(addr), nil
})
