package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Listen opens the page's port, on loopback only. The address is host:port;
// port 0 takes a free one.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot open the page at %q: want host:port, such as 127.0.0.1:8080: %w", address, err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("cannot open the page at %q: it is for this machine only; use 127.0.0.1, [::1] or localhost", address)
	}
	return listen(ctx, address)
}

// ListenPublished opens the page's port inside a container, on any address: who
// can reach it there is decided by where the container's port is published.
func ListenPublished(ctx context.Context, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("cannot open the page at %q: want host:port, such as :8080: %w", address, err)
	}
	return listen(ctx, address)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("cannot open the page at %q: another program has this port; take another one, or port 0 for any free one", address)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the page at %q: %w", address, err)
	}
	return l, nil
}

// Serve answers requests on l until ctx ends, then closes l and every open
// stream and returns nil within a second.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends the streams
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // a stream sets its own, write by write
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve the page: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close() // a client that holds on is cut off
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the page: %w", err)
	}
	return nil
}
