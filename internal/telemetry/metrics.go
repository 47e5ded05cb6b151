package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry is a registry of one program, with the runtime's and the
// process's own metrics. There is no global registry, so two programs of one
// process do not meet.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler serves /metrics and /healthz. Health is asked at each request: an
// error means 503 and is shown; nil as function means always healthy.
func Handler(registry *prometheus.Registry, health func() error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if health != nil {
			if err := health(); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprintln(w, err)
				return
			}
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// Observed runs run, and meanwhile serves /metrics and /healthz at the address;
// an empty one serves nothing. The error is run's, or why nothing could be served.
func Observed(ctx context.Context, address string, registry *prometheus.Registry, run func(context.Context) error) error {
	if address == "" {
		return run(ctx)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("cannot serve metrics: %w", err)
	}
	serving, end := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- Serve(serving, listener, Handler(registry, nil)) }()
	err = run(ctx)
	end()
	return errors.Join(err, <-served)
}

// shutdownGrace is how long requests that are under way may take at the end; a
// program ends within two seconds of its signal.
const shutdownGrace = time.Second

// Serve answers on the listener until ctx ends, and closes it. An end by ctx is
// no error. Responses that never end must watch their request's context, which
// ends with ctx.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close() // the grace is over: cut what is left
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve on %s: %w", listener.Addr(), err)
	}
	return nil
}
