package config

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthPatience is how long a program may take to say how it is.
const healthPatience = 2 * time.Second

// unwell is a program that is not healthy, or that does not say so.
type unwell struct{ error }

// ExitCode is 1: what asks, such as Docker, keeps 2 for itself.
func (unwell) ExitCode() int { return 1 }

// healthy asks the program that serves /healthz at the address. It is for
// images that hold nothing but the program: no shell, no curl.
func healthy(address string) error {
	cannot := func(format string, args ...any) error {
		return unwell{fmt.Errorf("cannot call the program at %q healthy: "+format, append([]any{address}, args...)...)}
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return cannot("want host:port, such as 127.0.0.1:9100: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return cannot("%w", err)
	}
	client := http.Client{Transport: &http.Transport{}} // without a proxy
	response, err := client.Do(request)
	if err != nil {
		return cannot("%w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // only to be shown
		return cannot("%s: %s", response.Status, strings.TrimSpace(string(said)))
	}
	return nil
}
