package kafka

import (
	"errors"
	"fmt"
	"testing"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// The flags that lead to Abort and Retry can only be set by librdkafka; those
// two are tested against a broker.
func TestClassify(t *testing.T) {
	fenced := ck.NewError(ck.ErrFenced, "", true)
	for _, c := range []struct {
		err  error
		want Outcome
	}{
		{nil, OK},
		{errors.New("something else"), Unknown},
		{ck.NewError(ck.ErrTimedOut, "", false), Unknown},
		{ck.NewError(ck.ErrInvalidTxnState, "", true), Unknown},
		{fenced, Fenced},
		{fmt.Errorf("cannot commit: %w", fenced), Fenced},
		{ck.NewError(ck.ErrProducerFenced, "", false), Fenced},
		{ck.NewError(ck.ErrInvalidProducerEpoch, "", true), Fenced},
		{&refusedError{&TooLargeError{}}, Abort},
		{fmt.Errorf("cannot add: %w", &refusedError{fenced}), Abort},
		{fmt.Errorf("cannot commit: %w", &Failure{Outcome: Retry}), Retry},
	} {
		if got := Classify(c.err); got != c.want {
			t.Errorf("Classify(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestTransient(t *testing.T) {
	for c, want := range map[ck.ErrorCode]bool{
		ck.ErrTimedOut: true, ck.ErrNotCoordinator: true, ck.ErrUnstableOffsetCommit: true,
		ck.ErrGroupAuthorizationFailed: false, ck.ErrFencedInstanceID: false, ck.ErrUnknown: false,
	} {
		if err := fmt.Errorf("cannot: %w", ck.NewError(c, "", false)); Transient(err) != want {
			t.Errorf("%v: %v", c, !want)
		}
	}
	for _, outcome := range []Outcome{Abort, Retry, Fenced, Unknown} {
		if Transient(&Failure{Outcome: outcome}) != (outcome == Retry) {
			t.Errorf("a failure with the outcome %v", outcome)
		}
	}
	if Transient(errors.New("something else")) {
		t.Error("what is not Kafka's is transient")
	}
}

func TestNotMember(t *testing.T) {
	for c, want := range map[ck.ErrorCode]bool{
		ck.ErrIllegalGeneration: true, ck.ErrUnknownMemberID: true, ck.ErrFencedInstanceID: true,
		ck.ErrRebalanceInProgress: false, ck.ErrTimedOut: false, ck.ErrMsgTimedOut: false,
	} {
		if err := fmt.Errorf("cannot: %w", ck.NewError(c, "", false)); NotMember(err) != want {
			t.Errorf("%v: %v", c, !want)
		}
	}
	if NotMember(nil) || !NotMember(&Failure{Outcome: Fenced}) || NotMember(&Failure{Outcome: Retry}) {
		t.Error("failures of a stand-in are mistaken")
	}
}
