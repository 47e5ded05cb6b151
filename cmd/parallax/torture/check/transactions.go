package check

import (
	"encoding/base64"
	"encoding/binary"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/services/processor/engine"
)

// transactions audits what committed transactions left: of each partition they
// are numbered 1, 2, 3 …, each with the one record that ends it; and each has
// all its records, ordinals 0, 1, 2 …, and nothing of any other can be seen. A
// transaction that was torn, doubled, or aborted and yet visible shows here.
func transactions(r *run) {
	places := make([]map[uint64][]uint32, r.partitions())
	for p := range places {
		places[p] = map[uint64][]uint32{}
	}
	note := func(t *Topic, m Record, at result.Place) {
		if at.Partition != m.Partition {
			r.fail("topic %q, %d/%d speaks of partition %d", t.Name, m.Partition, m.Offset, at.Partition)
			return
		}
		places[m.Partition][at.Transaction] = append(places[m.Partition][at.Transaction], at.Ordinal)
	}
	for i := range r.results {
		note(&r.Results, r.results[i].Record, r.results[i].Message.Place)
	}
	for i := range r.exclusions {
		note(&r.Excluded, r.exclusions[i].Record, r.exclusions[i].Message.Place)
	}
	for i := range r.dead {
		note(&r.DeadLetters, r.dead[i].Record, r.dead[i].Message.Place)
	}
	for p := range places {
		r.ends(p, places[p])
	}
}

// ends walks a partition's changelog, in which a meta record ends each transaction.
func (r *run) ends(p int, places map[uint64][]uint32) {
	var transaction, changes uint64
	var next int64
	for _, m := range r.Changelog.of(p) {
		meta, ok, err := engine.ReadMeta(m.Key, m.Value)
		switch {
		case err != nil:
			r.fail("changelog %d/%d: %v", p, m.Offset, err)
			return
		case !ok:
			changes++
			continue
		}
		switch {
		case meta.Transaction <= transaction:
			r.report.Doubled++
			r.fail("partition %d: transaction %d ends twice, or after transaction %d", p, meta.Transaction, transaction)
		case meta.Transaction > transaction+1:
			r.report.Lost++
			r.fail("partition %d: transaction %d follows transaction %d: those between are missing", p, meta.Transaction, transaction)
		}
		if meta.Next < next {
			r.fail("partition %d: transaction %d goes back from offset %d to %d", p, meta.Transaction, next, meta.Next)
		}
		if uint64(meta.Changes) != changes {
			r.fail("partition %d, transaction %d wrote %d changes, the changelog has %d: it is torn", p, meta.Transaction, meta.Changes, changes)
		}
		r.whole(p, &meta, places[meta.Transaction])
		delete(places, meta.Transaction)
		transaction, next, changes = meta.Transaction, meta.Next, 0
	}
	if changes > 0 {
		r.fail("partition %d: %d changes follow transaction %d and belong to none that is committed", p, changes, transaction)
	}
	for number, ordinals := range places {
		r.fail("partition %d: %d records of transaction %d can be seen, and it never ended", p, len(ordinals), number)
	}
}

// whole asks whether a transaction has each of its records once.
func (r *run) whole(p int, meta *engine.Meta, ordinals []uint32) {
	slices.Sort(ordinals)
	if once := slices.Compact(slices.Clone(ordinals)); len(once) < len(ordinals) {
		r.report.Doubled += len(ordinals) - len(once)
		r.fail("partition %d, transaction %d tells %d of its records twice", p, meta.Transaction, len(ordinals)-len(once))
		return
	}
	n := uint32(len(ordinals))
	if n != meta.Records || n > 0 && ordinals[n-1] != n-1 {
		r.report.Lost += max(0, int(meta.Records)-int(n))
		r.fail("partition %d, transaction %d wrote %d records, %d can be seen: it is torn", p, meta.Transaction, meta.Records, n)
	}
}

// order asks whether time goes one way: in each partition of a topic the
// transactions and their ordinals rise, and nothing follows a cell's final row.
func order(r *run) {
	final := map[result.Cell]bool{}
	var last result.Place
	for i := range r.results {
		m := &r.results[i].Message
		r.rises(&r.Results, &r.results[i].Record, &last, m.Place)
		if final[m.Cell()] {
			r.report.Doubled++
			r.fail("a %s row of %v follows the final one, at %d/%d", m.Stage, m.Cell(), r.results[i].Partition, r.results[i].Offset)
		}
		if m.Stage == result.Final {
			final[m.Cell()] = true
		}
	}
	last = result.Place{}
	for i := range r.exclusions {
		r.rises(&r.Excluded, &r.exclusions[i].Record, &last, r.exclusions[i].Message.Place)
	}
	last = result.Place{}
	for i := range r.dead {
		r.rises(&r.DeadLetters, &r.dead[i].Record, &last, r.dead[i].Message.Place)
	}
}

func (r *run) rises(t *Topic, m *Record, last *result.Place, at result.Place) {
	before := *last
	*last = at
	if before.Partition == at.Partition && before.Transaction != 0 &&
		(at.Transaction < before.Transaction || at.Transaction == before.Transaction && at.Ordinal <= before.Ordinal) {
		r.fail("topic %q, %d/%d: record %d of transaction %d follows record %d of transaction %d",
			t.Name, m.Partition, m.Offset, at.Ordinal, at.Transaction, before.Ordinal, before.Transaction)
	}
}

// position holds the committed offset's metadata against the changelog: both
// were written by one transaction, so they must speak of the same one.
func position(r *run) {
	for p := range r.partitions() {
		var meta engine.Meta
		for _, m := range r.Changelog.of(p) {
			if one, ok, err := engine.ReadMeta(m.Key, m.Value); err == nil && ok {
				meta = one
			}
		}
		b, err := base64.StdEncoding.DecodeString(r.Group[p].Metadata)
		const version, fixed = 2, 2 + 8 + 8 + 4 + 4
		if err != nil || len(b) < fixed || b[0] != version {
			r.fail("partition %d: the committed offset has the metadata %q, which no processor writes", p, r.Group[p].Metadata)
			continue
		}
		transaction, watermark := binary.BigEndian.Uint64(b[2:]), int64(binary.BigEndian.Uint64(b[10:]))
		records := binary.BigEndian.Uint32(b[18:])
		switch {
		case transaction != meta.Transaction || r.Group[p].Offset != meta.Next:
			r.fail("partition %d: offset %d is committed by transaction %d, the changelog ends with transaction %d at offset %d",
				p, r.Group[p].Offset, transaction, meta.Transaction, meta.Next)
		case watermark != meta.Watermark:
			r.fail("partition %d: the watermark is %d with the offset, and %d in the changelog", p, watermark, meta.Watermark)
		case records != meta.Records+meta.Changes+1:
			r.fail("partition %d: transaction %d wrote %d records by the offset's metadata, and %d by the changelog",
				p, transaction, records, meta.Records+meta.Changes+1)
		case string(b[fixed:]) != meta.TopicID:
			r.fail("partition %d: the offset is of topic %q, the changelog of %q", p, b[fixed:], meta.TopicID)
		}
		if n := r.want.Counts[int32(p)]; n != nil && n.Watermark != watermark {
			r.fail("partition %d: the watermark is %d, and by the log it must be %d", p, watermark, n.Watermark)
		}
	}
}
