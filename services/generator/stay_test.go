package generator

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// lines is a log that hands its messages on.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// A generator that is told to stay is there, and well, when all is sent; and it
// ends regularly when it is asked to.
func TestStay(t *testing.T) {
	c := newConfig(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c.Metrics, c.Stay, c.Limit = free.Addr().String(), true, 50
	must(t, free.Close())
	said := make(lines, 100)
	g, err := New(c, Deps{Clock: WallClock{}, Log: slog.New(slog.NewTextHandler(said, nil))})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	type end struct {
		summary Summary
		err     error
	}
	ended := make(chan end, 1)
	go func() {
		s, err := g.Run(ctx)
		ended <- end{s, err}
	}()
	for all := false; !all; {
		select {
		case line := <-said:
			all = strings.Contains(line, "everything is sent")
		case e := <-ended:
			t.Fatalf("it ended before it was asked to: %+v", e)
		}
	}
	response, err := http.Get("http://" + c.Metrics + "/metrics")
	must(t, err)
	text, err := io.ReadAll(response.Body)
	must(t, err)
	must(t, response.Body.Close())
	for _, name := range []string{"messages", "sent_messages", "acknowledged_messages"} {
		if want := fmt.Sprintf("\nparallax_generator_%s %d\n", name, g.Progress().Total); !strings.Contains(string(text), want) {
			t.Errorf("the metrics lack %q:\n%s", want, text)
		}
	}
	cancel()
	if e := <-ended; e.err != nil || e.summary.Generated != 50 {
		t.Errorf("%+v", e)
	}
}
