package kafka

/*
#include <stdlib.h>
#include "sender.h"
*/
import "C"

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// SenderConfig configures a Sender.
type SenderConfig struct {
	Linger     time.Duration // how long a batch may wait to fill; Flush does not wait for it
	MaxMessage int           // bytes; 0 = 1,000,000
	Timeout    time.Duration // 0 = 15 s; a record that no broker has acknowledged by then is given up
	Queue      int           // bytes on their way, as of TxnConfig
}

// Sender sends lists of records idempotently, without a transaction: each
// record is visible as soon as it is in the log, and whether all are there is
// what Flush says. One goroutine at a time uses it.
//
// It is a client of its own in C, since what the Go client would tell of each
// record costs as much as all the rest; where the library lacks what that
// needs, a Producer does the same.
type Sender struct {
	config  SenderConfig
	native  *C.sender // nil: by the producer
	topics  *handles
	slow    *Producer
	given   uint64     // to slow, so far
	refused chan error // slow's first failure
	free    func()
	failed  error // it can do nothing more
}

// NewSender makes a sender. That no broker answers is not an error yet.
func NewSender(c Config, sc SenderConfig) (*Sender, error) {
	if err := able(); err != nil {
		fellBack(c.log(), err)
		return newSlowSender(c, sc)
	}
	sc = sc.complete()
	own := sending(sc.MaxMessage, sc.Linger)
	own["message.timeout.ms"] = millis(sc.Timeout)
	bound(own, sc.Queue, sc.MaxMessage)
	conf, free, err := c.settings(own)
	if err != nil {
		return nil, err
	}
	native, err := newNative(*conf)
	if err != nil {
		free()
		return nil, fmt.Errorf("cannot make a Kafka sender for %q: %w", c.Brokers, err)
	}
	C.sender_connect(native, C.int(millis(time.Second))) // see connect
	s := &Sender{config: sc, native: native, free: free}
	s.topics = handlesOf(native.rk, func() {
		if C.sender_serve(native, 0) > 0 {
			time.Sleep(time.Millisecond)
		}
	})
	return s, nil
}

func (sc SenderConfig) complete() SenderConfig {
	sc.MaxMessage = cmp.Or(sc.MaxMessage, defaultMaxMessage)
	sc.Timeout = cmp.Or(sc.Timeout, 15*time.Second)
	return sc
}

// newNative makes the client from the settings which are librdkafka's own.
func newNative(conf ck.ConfigMap) (*C.sender, error) {
	var settings []*C.char
	for name, value := range conf {
		if !strings.HasPrefix(name, "go.") {
			settings = append(settings, C.CString(name), C.CString(fmt.Sprint(value)))
		}
	}
	s := C.sender_new(&settings[0], C.int(len(settings)/2))
	for _, text := range settings {
		C.free(unsafe.Pointer(text))
	}
	if s == nil {
		return nil, errors.New("no memory")
	}
	if s.rk == nil {
		defer C.sender_free(s)
		return nil, errors.New(C.GoString(&s.reason[0]))
	}
	return s, nil
}

// newSlowSender is what the other must equal.
func newSlowSender(c Config, sc SenderConfig) (*Sender, error) {
	sc = sc.complete()
	s := &Sender{config: sc, refused: make(chan error, 1)}
	var err error
	s.slow, err = NewProducer(c, ProducerConfig{Linger: sc.Linger, MaxMessage: sc.MaxMessage, Timeout: sc.Timeout, Queue: sc.Queue, OnDelivery: func(d Delivery) {
		if d.Err != nil {
			select {
			case s.refused <- d.Err:
			default: // the first one counts
			}
		}
	}})
	return s, err
}

// ProduceAll hands all records over in their order; keys and values are copied.
// While the local queue is full it waits. Of a list with a record that is too
// large none is sent, and the same error will come again; after any other error
// the sender is of no more use, and what it has sent is in the log or not.
func (s *Sender) ProduceAll(r *Records) error {
	err := r.check(s.config.MaxMessage)
	var tooLarge *TooLargeError
	if errors.As(err, &tooLarge) {
		return err
	}
	if len(r.Entries) == 0 || s.failed != nil {
		return s.failed
	}
	if s.native == nil {
		return s.produceEach(r)
	}
	C.sender_serve(s.native, 0) // what is acknowledged makes room
	if i, err := s.topics.produce(r, time.Now().Add(s.config.Timeout)); err != nil {
		s.failed = fmt.Errorf("cannot send to topic %q: %w", r.Topics[r.Entries[i].Topic], err)
	}
	return s.failed
}

func (s *Sender) produceEach(r *Records) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Timeout)
	defer cancel()
	for i := range r.Entries {
		if err := s.slow.Produce(ctx, r.Record(i), s.given); err != nil {
			s.failed = err
			return err
		}
		s.given++
	}
	return nil
}

// Flush sends what waits, and returns nil when every record that was handed
// over is acknowledged. After an error the sender is of no more use.
func (s *Sender) Flush() error {
	deadline := time.Now().Add(s.config.Timeout + 2*time.Second) // the client looks for what to give up each second
	for s.failed == nil {
		left, err := s.settle()
		switch {
		case err != nil:
			s.failed = fmt.Errorf("cannot send: records were given up, the first since: %w", err)
		case left == 0:
			return nil
		case !time.Now().Before(deadline):
			s.failed = fmt.Errorf("cannot send: %d records are not acknowledged after %s", left, s.config.Timeout)
		}
	}
	return s.failed
}

// settle waits a moment for acknowledgements. It returns how many are missing,
// and why records were given up.
func (s *Sender) settle() (left int, err error) {
	if s.native != nil {
		left = int(C.sender_serve(s.native, 50))
		if s.native.lost > 0 {
			err = ck.NewError(ck.ErrorCode(s.native.error), "", false)
		}
		return left, err
	}
	left = s.slow.settle(50 * time.Millisecond)
	if left == 0 {
		s.slow.delivered()
	}
	select {
	case err = <-s.refused:
	default:
	}
	return left, err
}

// Close ends the sender; again, it does nothing. What was not acknowledged may
// come into the log or not.
func (s *Sender) Close() {
	switch {
	case s.native != nil:
		s.topics.close()
		C.sender_free(s.native)
		s.native, s.failed = nil, errClosed
		s.free()
	case s.slow != nil:
		s.slow.Close()
		s.slow, s.failed = nil, errClosed
	}
}

var errClosed = errors.New("cannot send: the sender is closed")
