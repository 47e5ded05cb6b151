package ledger

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Walk calls fn with every intent, in the order of N, and its last outcome.
// The intent's bytes are valid during the call only. It reads the file twice
// and holds 24 bytes per intent.
func Walk(path string, fn func(*Intent, *Outcome) error) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, fmt.Errorf("cannot open ledger: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	return walk(f, path, fn)
}

// settled is an Outcome in few bytes; reasons, which are rare, lie aside.
type settled struct {
	offset, time int64
	partition    int32
	resent       uint16
	status       Status
}

func walk(f io.ReaderAt, path string, fn func(*Intent, *Outcome) error) (Info, error) {
	r, err := newReader(io.NewSectionReader(f, 0, math.MaxInt64), path)
	if err != nil {
		return Info{}, err
	}
	var list []settled
	reasons := map[uint64]string{}
	info := Info{Header: r.Header()}
	var e Entry
	for {
		at := r.Offset()
		if err = r.Next(&e); err != nil {
			break
		}
		if e.Kind == KindIntent {
			list = append(list, settled{})
			continue
		}
		s := &list[e.N]
		if s.status == OK {
			return Info{}, &CorruptError{path, at, fmt.Sprintf("intent %d was already ok", e.N)}
		}
		switch e.Kind {
		case KindOK:
			s.status, s.partition, s.offset, s.time = OK, e.Partition, e.Offset, e.Time
		case KindFailed:
			s.status = Failed
			reasons[e.N] = string(e.Reason)
		case KindResent:
			s.status = Unknown
			if s.resent < math.MaxUint16 {
				s.resent++
			}
		}
	}
	if !errors.Is(err, io.EOF) {
		return Info{}, err
	}
	info.Size, info.Torn = r.Offset(), r.Torn()
	for i := range list {
		info.Resent += uint64(list[i].resent)
		switch list[i].status {
		case OK:
			info.OK++
		case Failed:
			info.Failed++
		default:
			info.Unknown++
		}
	}
	info.Intents = uint64(len(list))

	// The second reading ends where the first did: a generator may write on.
	r, err = newReader(io.NewSectionReader(f, 0, info.Size), path)
	if err != nil {
		return Info{}, err
	}
	for {
		if err := r.Next(&e); errors.Is(err, io.EOF) {
			return info, nil
		} else if err != nil {
			return Info{}, err
		}
		if e.Kind != KindIntent {
			continue
		}
		s := &list[e.N]
		o := Outcome{Status: s.status, Resent: uint32(s.resent), Partition: s.partition, Offset: s.offset, Time: s.time}
		if s.status == Failed {
			o.Reason = reasons[e.N]
		}
		if err := fn(&e.Intent, &o); err != nil {
			return Info{}, err
		}
	}
}
