package task_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"parallax.example/services/processor/task"
)

// forget deletes the records of a partition of the input below an offset, as
// retention does.
func (l *lab) forget(partition int32, below int64) {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.kafka.Brokers)
	must(l.t, err)
	defer conn.Close()
	text := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	b := []byte{0, 0, 0, 0, 0, 21, 0, 0, 0, 0, 0, 1} // room for the size; DeleteRecords, version 0, request 1
	b = text(b, "test")
	b = text(append(b, 0, 0, 0, 1), l.topics.Events)
	b = binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 1), uint32(partition))
	b = binary.BigEndian.AppendUint64(b, uint64(below))
	b = binary.BigEndian.AppendUint32(b, 5000) // ms
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	_, err = conn.Write(b)
	must(l.t, err)
	var size [4]byte
	_, err = io.ReadFull(conn, size[:])
	must(l.t, err)
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(conn, answer)
	must(l.t, err)
	if code := binary.BigEndian.Uint16(answer[len(answer)-2:]); code != 0 {
		l.t.Fatalf("DeleteRecords: error code %d", code)
	}
	ends, err := l.admin().Offsets(l.t.Context(), l.topics.Events, []int32{partition})
	must(l.t, err)
	if ends[0].Earliest != below {
		l.t.Fatalf("the log begins at %d, want %d", ends[0].Earliest, below)
	}
}

// Where nothing is retained, a rebuilt view begins empty. It was refused there
// when other partitions had been switched.
func TestRebuildOfNothingRetained(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second
	l.fill(1, 200, false)
	l.process()
	l.forget(2, l.ends[2])
	l.ask(changed)
	must(t, task.Rebuild(l.within(), l.config(""), []string{"hourly", "visits"}, nil))
	before := l.inOrder("hourly")
	l.fill(2, 100, true)
	l.process()
	if rows := l.inOrder("hourly"); before < 50 || rows <= before || len(l.markers()) != 2*partitions {
		t.Errorf("%d rows of %d were there before, markers: %q", before, rows, l.markers())
	}
}

// Where too little is retained for the state's watermark, nothing is changed.
func TestRebuildOfTooLittleRetained(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second
	l.fill(1, 200, false)
	l.process()
	l.forget(2, l.ends[2]-1)
	l.ask(changed)
	var refused *task.Refusal
	err := task.Rebuild(l.within(), l.config(""), []string{"hourly", "visits"}, nil)
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "too little of partition 2 is retained") || !strings.Contains(err.Error(), "`parallax processor reset --view hourly --view visits`") {
		t.Errorf("it ended with: %v", err)
	}
	if m := l.markers(); len(m) != 0 {
		t.Errorf("it changed something: %q", m)
	}
	must(t, task.Reset(l.within(), l.config("slot-0"), []string{"hourly", "visits"}))
	l.fill(2, 20, true)
	l.process()
}

// Where records that the processor needs are lost, nothing is changed either.
func TestRebuildWhereTheProcessorCannotGoOn(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second
	l.fill(1, 200, false)
	l.process()
	l.fill(2, 20, false)
	l.forget(2, l.ends[2])
	l.ask(changed)
	var stop *task.Stop
	err := task.Rebuild(l.within(), l.config(""), []string{"hourly", "visits"}, nil)
	if m := l.markers(); !errors.As(err, &stop) || !strings.Contains(err.Error(), "the records between are lost") || len(m) != 0 {
		t.Errorf("it changed %q, and ended with: %v", m, err)
	}
}

// An unfinished rebuild which retention overtakes begins again with what is left.
// It could never go on, and said to choose another topic prefix.
func TestRebuildOvertakenByRetention(t *testing.T) {
	l := newLab(t)
	l.session = 2 * time.Second
	l.fill(1, 200, false)
	l.process()
	l.ask(changed)
	l.unfinished("hourly", "visits")
	lost := l.ends[2]
	l.ask(views)
	l.fill(2, 100, false)
	l.process()
	l.forget(2, lost+10)
	l.ask(changed)
	must(t, task.Rebuild(l.within(), l.config(""), []string{"hourly", "visits"}, nil))
	l.fill(3, 20, true)
	l.process()
	if l.inOrder("hourly") < 50 || len(l.markers()) != 2*partitions {
		t.Errorf("%d rows, markers: %q", l.inOrder("hourly"), l.markers())
	}
}
