package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// stream serves the run's state as server-sent events. Each event is the whole
// state, so a client that missed some has lost nothing, there are no queues to
// grow, and a Last-Event-ID needs no answer.
type stream struct {
	snapshot                      func() Live
	interval, heartbeat, patience time.Duration
	places                        chan struct{} // one per client

	mu     sync.Mutex
	taken  time.Time
	number uint64 // changes whenever state does
	state  []byte // as JSON
}

func newStream(snapshot func() Live, o Options) *stream {
	return &stream{
		snapshot:  snapshot,
		interval:  cmp.Or(o.Interval, 500*time.Millisecond),
		heartbeat: cmp.Or(o.Heartbeat, 15*time.Second),
		patience:  cmp.Or(o.Patience, 5*time.Second),
		places:    make(chan struct{}, cmp.Or(o.Clients, 32)),
	}
}

// current is the state, looked at anew when the last look is an interval old.
func (s *stream) current() (number uint64, state []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number == 0 || time.Since(s.taken) >= s.interval {
		live := s.snapshot()
		b, err := json.Marshal(&live)
		if err != nil {
			return 0, nil, fmt.Errorf("cannot show the run: %w", err)
		}
		s.taken = time.Now()
		if !bytes.Equal(b, s.state) {
			s.number, s.state = s.number+1, b
		}
	}
	return s.number, s.state, nil
}

func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, fmt.Sprintf("%d pages are watching this run already; close one.", cap(s.places)), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	// The server's own write timeout would end every stream; each write has its own.
	write := func(format string, args ...any) bool {
		if out.SetWriteDeadline(time.Now().Add(s.patience)) != nil {
			return false
		}
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !write("retry: 1000\n\n") {
		return
	}
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	var shown uint64
	last := time.Now()
	for {
		number, state, err := s.current()
		switch {
		case err != nil:
			write(": %q\n\n", err)
			return
		case number != shown:
			if !write("id: %d\ndata: %s\n\n", number, state) {
				return
			}
			shown, last = number, time.Now()
		case time.Since(last) >= s.heartbeat:
			if !write(": still here\n\n") {
				return
			}
			last = time.Now()
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
