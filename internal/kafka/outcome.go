package kafka

import (
	"errors"
	"fmt"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Outcome is what an error of a Txn means for the transaction.
type Outcome int

const (
	// OK: done.
	OK Outcome = iota
	// Abort: the transaction is lost, the producer is fine. Abort it and go
	// back to the last committed state.
	Abort
	// Retry: nothing is decided. The same call again, with the same arguments,
	// before the transaction's timeout.
	Retry
	// Fenced: another producer has the transactional id, or the coordinator
	// gave this transaction up. The outcome is as unknown as below; that
	// somebody else may own the partition now must be found out first.
	Fenced
	// Unknown: the transaction may be committed or aborted. Close this
	// producer; Init of a new one with the same id settles the transaction;
	// the group's committed offset and its metadata then say which it was.
	Unknown
)

func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Abort:
		return "abort"
	case Retry:
		return "retry"
	case Fenced:
		return "fenced"
	case Unknown:
		return "unknown"
	}
	panic(fmt.Sprintf("BUG: outcome %d", int(o)))
}

// Failure is an error of a known outcome, as a stand-in for a cluster gives it.
type Failure struct {
	Outcome Outcome // of a Txn; from a consumer Retry is what Transient knows
	Reason  string
}

func (f *Failure) Error() string { return f.Reason }

// Classify says what to do about an error of a Txn. This is the only place
// that knows librdkafka's flags. The order matters: an error can carry several,
// and what carries none says nothing about the transaction.
func Classify(err error) Outcome {
	if err == nil {
		return OK
	}
	var refused *refusedError
	if errors.As(err, &refused) {
		return Abort
	}
	var failure *Failure
	if errors.As(err, &failure) {
		return failure.Outcome
	}
	var e ck.Error
	if !errors.As(err, &e) {
		return Unknown
	}
	switch {
	case e.TxnRequiresAbort():
		return Abort
	case e.IsRetriable():
		return Retry
	case fenced(e.Code()):
		return Fenced
	}
	return Unknown
}

// fenced lists what the coordinator says to a producer that was replaced.
func fenced(c ck.ErrorCode) bool {
	switch c {
	case ck.ErrFenced, ck.ErrProducerFenced, ck.ErrInvalidProducerEpoch:
		return true
	}
	return false
}

// NotMember says that the coordinator takes the consumer for no member of the
// group's current generation: its partitions may have another owner.
func NotMember(err error) bool {
	if failure := (*Failure)(nil); errors.As(err, &failure) {
		return failure.Outcome == Fenced
	}
	switch code(err) {
	case ck.ErrIllegalGeneration, ck.ErrUnknownMemberID, ck.ErrFencedInstanceID, ck.ErrFenced:
		return true
	}
	return false
}

// Transient says that a consumer's error may be over by itself: brokers come
// back, coordinators move. What it does not know, it calls lasting.
func Transient(err error) bool {
	if failure := (*Failure)(nil); errors.As(err, &failure) {
		return failure.Outcome == Retry
	}
	switch code(err) {
	case ck.ErrAllBrokersDown, ck.ErrTransport, ck.ErrResolve, ck.ErrTimedOut, ck.ErrWaitCoord,
		ck.ErrLeaderNotAvailable, ck.ErrNotLeaderForPartition, ck.ErrUnknownLeaderEpoch, ck.ErrFencedLeaderEpoch,
		ck.ErrCoordinatorNotAvailable, ck.ErrCoordinatorLoadInProgress, ck.ErrNotCoordinator,
		ck.ErrRebalanceInProgress, ck.ErrRequestTimedOut, ck.ErrNetworkException,
		ck.ErrBrokerNotAvailable, ck.ErrReplicaNotAvailable,
		ck.ErrUnstableOffsetCommit: // until the transaction that commits them is settled
		return true
	}
	return false
}

// refusedError is a record or an offset that is not in the transaction, so the
// transaction must not be committed.
type refusedError struct{ cause error }

func (e *refusedError) Error() string {
	return fmt.Sprintf("the transaction is incomplete: %v", e.cause)
}
func (e *refusedError) Unwrap() error { return e.cause }
