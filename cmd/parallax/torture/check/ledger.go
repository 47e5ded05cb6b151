package check

import (
	"bytes"
	"cmp"
	"slices"

	"parallax.example/internal/ledger"
)

// ledgerOnce holds the log against what was sent: every acknowledged message is
// there once, at the place that was told; one of unknown outcome once or not at
// all, and one that a restart sent again at most so many times more; nothing
// else is there; and each sender's order is kept.
func ledgerOnce(r *run) {
	sent := make(map[string]*Message, len(r.Ledger))
	for i := range r.Ledger {
		sent[string(r.Ledger[i].Value)] = &r.Ledger[i]
	}
	copies := make(map[uint64]int, len(r.Ledger))
	last := map[int32]uint64{} // by partition: the number of the last message in order, plus one
	for _, m := range r.Events.Records {
		s := sent[string(m.Value)]
		if s == nil {
			r.fail("the log holds %d bytes at %d/%d that nobody sent", len(m.Value), m.Partition, m.Offset)
			continue
		}
		copies[s.N]++
		if s.Intent.Partition != m.Partition || !bytes.Equal(s.Key, m.Key) {
			r.fail("message %d was sent to partition %d with key %q, and lies at %d/%d with key %q", s.N, s.Intent.Partition, s.Key, m.Partition, m.Offset, m.Key)
		}
		if s.Resent == 0 {
			if s.N < last[m.Partition] {
				r.fail("message %d lies at %d/%d, behind message %d, which was sent after it", s.N, m.Partition, m.Offset, last[m.Partition]-1)
			}
			last[m.Partition] = s.N + 1
		}
	}
	for i := range r.Ledger {
		m := &r.Ledger[i]
		n, most := copies[m.N], 1+int(m.Resent)
		if m.Status == ledger.OK && n == 0 {
			r.report.Lost++
			r.fail("message %d was acknowledged at %d/%d, and is not in the log: it is lost", m.N, m.Outcome.Partition, m.Offset)
		}
		if n > most {
			r.report.Doubled++
			r.fail("message %d is in the log %d times, and was sent %d times (%s)", m.N, n, most, m.Status)
		}
		if m.Status == ledger.OK && n > 0 && m.Offset >= 0 && !r.lies(m) {
			r.fail("message %d was acknowledged at %d/%d, and lies elsewhere", m.N, m.Outcome.Partition, m.Offset)
		}
	}
}

// lies says whether the log holds the message where Kafka said.
func (r *run) lies(m *Message) bool {
	log := r.Events.of(int(m.Outcome.Partition))
	i, found := slices.BinarySearchFunc(log, m.Offset, func(record Record, offset int64) int { return cmp.Compare(record.Offset, offset) })
	return found && bytes.Equal(log[i].Value, m.Value)
}

// readers compares a reader that followed the run with one that came after it.
func readers(r *run) {
	for _, t := range r.topics() {
		if t.Live == nil {
			continue
		}
		if len(t.Live) != len(t.Records) {
			r.fail("topic %q: who followed saw %d records, who came later %d", t.Name, len(t.Live), len(t.Records))
		}
		for i := range min(len(t.Live), len(t.Records)) {
			a, b := &t.Live[i], &t.Records[i]
			if a.Partition != b.Partition || a.Offset != b.Offset || !bytes.Equal(a.Key, b.Key) || !bytes.Equal(a.Value, b.Value) {
				r.fail("topic %q: who followed saw other bytes at %d/%d than who came later at %d/%d", t.Name, a.Partition, a.Offset, b.Partition, b.Offset)
				break
			}
		}
	}
}
