package gather

import (
	"bytes"
	"fmt"

	"parallax.example/internal/ledger"
	"parallax.example/services/reporter/compare"
)

// Sending is what the generators recorded.
type Sending struct {
	Entries []compare.Entry
	// First and Last are when the first and the last event were scheduled to be
	// sent, in ms since 1970; both 0 without any event.
	First, Last int64
}

// Ledgers reads all entries of the ledgers, which must belong to the topic.
func Ledgers(topic string, paths []string) (*Sending, error) {
	var s Sending
	for _, path := range paths {
		info, err := ledger.Walk(path, func(i *ledger.Intent, o *ledger.Outcome) error {
			e := compare.Entry{Partition: i.Partition, Resent: o.Resent, Value: bytes.Clone(i.Value)}
			switch i.Op {
			case ledger.Event:
				e.Kind = compare.Sent
				if s.First == 0 || i.Scheduled < s.First {
					s.First = i.Scheduled
				}
				s.Last = max(s.Last, i.Scheduled)
			case ledger.Duplicate:
				e.Kind = compare.Copied
			case ledger.Poison:
				e.Kind = compare.Spoiled
			case ledger.Punctuation:
				e.Kind = compare.Punctuation
			default:
				return fmt.Errorf("cannot read ledger %q: intent %d has the operation %s, which this program does not know", path, i.N, i.Op)
			}
			switch o.Status {
			case ledger.OK:
				e.Outcome, e.Partition, e.Offset = compare.OK, o.Partition, o.Offset
			case ledger.Failed:
				e.Outcome = compare.Failed
			}
			s.Entries = append(s.Entries, e)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if info.Header.Topic != topic {
			return nil, &compare.Refusal{
				Reason: fmt.Sprintf("the ledger %q tells what was sent to topic %q, and topic %q is compared", path, info.Header.Topic, topic),
				Advice: "Name the ledgers of this topic.",
			}
		}
	}
	return &s, nil
}
