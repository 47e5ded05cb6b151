package generator

import (
	"context"
	"fmt"

	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
)

// Summary is what a ledger says was sent.
type Summary struct {
	Intents      uint64 `json:"intents"`      // = Generated + Duplicated + Poisoned + Punctuations
	Generated    uint64 `json:"generated"`    // events under a new id
	Duplicated   uint64 `json:"duplicated"`   // events whose id their partition had before
	Poisoned     uint64 `json:"poisoned"`     // messages that are no valid event
	Punctuations uint64 `json:"punctuations"` //

	OK      uint64 `json:"ok"` // Intents = OK + Failed + Unknown
	Failed  uint64 `json:"failed"`
	Unknown uint64 `json:"unknown"`
	Resent  uint64 `json:"resent"` // sends after a restart, beyond the first of each intent

	// Ends has, per partition, the offset behind the last message of this run;
	// -1 when Kafka did not tell it, 0 when nothing was sent there.
	Ends []int64 `json:"ends"`
}

// Summarize reads a ledger.
func Summarize(path string) (Summary, error) {
	var s Summary
	ends, untold := map[int32]int64{}, map[int32]bool{}
	info, err := ledger.Walk(path, func(i *ledger.Intent, o *ledger.Outcome) error {
		switch i.Op {
		case ledger.Event:
			s.Generated++
		case ledger.Duplicate:
			s.Duplicated++
		case ledger.Poison:
			s.Poisoned++
		case ledger.Punctuation:
			s.Punctuations++
		}
		if o.Status != ledger.OK {
			return nil
		}
		if o.Offset < 0 {
			untold[i.Partition] = true
		}
		ends[i.Partition] = max(ends[i.Partition], o.Offset+1)
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	s.Intents, s.OK, s.Failed, s.Unknown, s.Resent = info.Intents, info.OK, info.Failed, info.Unknown, info.Resent
	for p := range info.Header.Partitions {
		end := ends[p]
		if untold[p] {
			end = -1
		}
		s.Ends = append(s.Ends, end)
	}
	return s, nil
}

// complete asks Kafka for the ends that no delivery told.
func (g *Generator) complete(admin *kafka.Admin, s *Summary) error {
	var ask []int32
	for p, end := range s.Ends {
		if end < 0 {
			ask = append(ask, int32(p))
		}
	}
	if len(ask) == 0 {
		return nil
	}
	offsets, err := admin.Offsets(context.Background(), g.config.topic(), ask)
	if err != nil {
		return fmt.Errorf("cannot find the ends of what was sent: %w", err)
	}
	for _, o := range offsets {
		s.Ends[o.Partition] = o.High
	}
	return nil
}
