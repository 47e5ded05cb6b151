package kafka

/*
#include "librdkafka.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
)

// FetchPath is a way in which records come out of the client.
type FetchPath int

const (
	// FetchAuto is FetchBatch where the client's library has what it needs, else FetchPoll.
	FetchAuto FetchPath = iota
	// FetchPoll takes one record at a time by the Go client's own Poll: slower,
	// and the reference for what the other must give.
	FetchPoll
	// FetchBatch takes many records at a time from each partition's own queue.
	FetchBatch
)

func (p FetchPath) String() string {
	switch p {
	case FetchAuto:
		return "auto"
	case FetchPoll:
		return "poll"
	case FetchBatch:
		return "batch"
	}
	panic(fmt.Sprintf("BUG: fetch path %d", int(p)))
}

// errSymbols is why batches are impossible with another library.
var errSymbols = errors.New("the librdkafka of this program lacks a function that batches need")

// able returns nil if librdkafka has all that the batch paths call.
func able() error {
	if C.batches_available() == 0 {
		return errSymbols
	}
	return nil
}

// choose is the path for what is wanted, where obstacle speaks against batches.
func choose(wanted FetchPath, obstacle error) (FetchPath, error) {
	switch {
	case wanted == FetchPoll:
		return FetchPoll, nil
	case obstacle == nil:
		return FetchBatch, nil
	case wanted == FetchAuto:
		return FetchPoll, nil
	}
	return 0, fmt.Errorf("cannot read in batches: %w; choose the path auto or poll", obstacle)
}

// fellBack tells once per process that the slower calls are used.
func fellBack(log *slog.Logger, obstacle error) {
	tell.Do(func() {
		log.Info("Kafka records go one by one instead of in batches, which costs more", "reason", obstacle)
	})
}

var tell sync.Once

// native returns the rd_kafka_t of a *ck.Consumer or *ck.Producer. The Go
// client keeps it in a field that is not exported.
func native(client any) (*C.rd_kafka_t, error) {
	rk := reflect.ValueOf(client).Elem()
	for _, name := range []string{"handle", "rk"} {
		if rk.Kind() != reflect.Struct {
			break
		}
		rk = rk.FieldByName(name)
	}
	if rk.Kind() != reflect.Pointer || rk.IsNil() {
		return nil, errors.New("the Kafka client keeps its handle in another place than it did")
	}
	return (*C.rd_kafka_t)(rk.UnsafePointer()), nil
}
