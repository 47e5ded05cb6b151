package gather

import (
	"context"
	"errors"
	"fmt"
	"io"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
)

// Log is what the lake holds of a topic below a cut.
type Log struct {
	TopicID  string
	Events   []compare.Event
	Dead     []compare.Dead
	Advances []compare.Advance // punctuation of those who may send it
	Ends     map[int32]int64   // by partition, the offset after its last record below the cut
}

// Lake reads the events and dead letters of a topic below the cut, an end
// offset per partition. Every file is checked against its manifest.
func Lake(ctx context.Context, d *lake.Dir, topic string, cut map[int32]int64, rules *view.Time) (*Log, error) {
	chains, err := d.Chains(topic)
	if err != nil {
		return nil, err
	}
	log := &Log{Ends: map[int32]int64{}}
	there := map[int32]bool{}
	texts := map[string]string{}
	for _, chain := range chains {
		end, named := cut[chain.Partition]
		if !named {
			continue
		}
		next, ok := chain.Next()
		if !ok {
			continue // nothing was ever in it
		}
		if next < end {
			return nil, &compare.Refusal{
				Reason: fmt.Sprintf("the lake ends at offset %d of partition %d, and the cut is %d", next, chain.Partition, end),
				Advice: "Compare with the lake that the batch read, or run the ingest to its end and the batch again.",
			}
		}
		there[chain.Partition] = true
		log.TopicID = chain.Manifests[0].TopicID
		for _, m := range chain.Below(end) {
			if err := d.Verify(ctx, m); err != nil {
				return nil, err
			}
			for i := range m.Files {
				if err := log.file(d, &m.Files[i], chain.Partition, end, texts); err != nil {
					return nil, err
				}
			}
			log.dead(m, end, rules)
		}
	}
	for p, end := range cut {
		if !there[p] && end > 0 {
			return nil, &compare.Refusal{
				Reason: fmt.Sprintf("the lake holds nothing of partition %d, and the cut is %d", p, end),
				Advice: "Compare with the lake that the batch read.",
			}
		}
	}
	return log, nil
}

// dead lists the range's punctuation and dead letters: of the former those that are
// from somebody who may not send any.
func (l *Log) dead(m *lake.Manifest, end int64, rules *view.Time) {
	for _, x := range m.DeadLetters {
		if x.Offset < end {
			l.reach(m.Partition, x.Offset)
			l.Dead = append(l.Dead, compare.Dead{Partition: m.Partition, Offset: x.Offset, Reason: x.Reason})
		}
	}
	for _, p := range m.Punctuations {
		if p.Offset >= end {
			continue
		}
		l.reach(m.Partition, p.Offset)
		if rules.Accepts([]byte(p.Sender)) {
			l.Advances = append(l.Advances, compare.Advance{Partition: m.Partition, Offset: p.Offset, Watermark: p.Watermark})
		} else {
			l.Dead = append(l.Dead, compare.Dead{Partition: m.Partition, Offset: p.Offset, Reason: string(event.Unauthorized)})
		}
	}
}

func (l *Log) reach(partition int32, offset int64) {
	l.Ends[partition] = max(l.Ends[partition], offset+1)
}

// file reads one data file, column by column.
func (l *Log) file(d *lake.Dir, file *lake.File, partition int32, end int64, texts map[string]string) error {
	f, err := d.OpenFile(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	p, err := parquet.Open(f, file.Size)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", file.Path, err)
	}
	from := len(l.Events)
	for g := range p.Groups() {
		if err := l.group(p, g, partition, texts); err != nil {
			return fmt.Errorf("cannot read %s: %w", file.Path, err)
		}
	}
	kept := l.Events[:from]
	for _, e := range l.Events[from:] {
		if e.Offset < end {
			l.reach(partition, e.Offset)
			kept = append(kept, e)
		}
	}
	l.Events = kept
	return nil
}

func (l *Log) group(p *parquet.File, g int, partition int32, texts map[string]string) error {
	rows := int(p.GroupRows(g))
	from := len(l.Events)
	l.Events = append(l.Events, make([]compare.Event, rows)...)
	events := l.Events[from:]
	numbers, valid := make([]int64, rows), make([]bool, rows)
	codes := make([]int32, rows)
	var c parquet.ColumnReader

	for _, column := range []struct {
		name string
		set  func(e *compare.Event, v int64, ok bool)
	}{
		{lake.ColumnPartition, func(e *compare.Event, v int64, _ bool) { e.Partition = int32(v) }},
		{lake.ColumnOffset, func(e *compare.Event, v int64, _ bool) { e.Offset = v }},
		{lake.ColumnSeq, func(e *compare.Event, v int64, ok bool) { e.Seq, e.HasID = uint64(v), ok }},
		{lake.ColumnEventTime, func(e *compare.Event, v int64, _ bool) { e.Time = v }},
		{lake.ColumnValue, func(e *compare.Event, v int64, _ bool) { e.Value = v }},
	} {
		if err := open(&c, p, g, column.name); err != nil {
			return err
		}
		if n, err := c.Int64(numbers, valid); n < rows {
			return short(column.name, n, rows, err)
		}
		for i := range events {
			column.set(&events[i], numbers[i], valid[i])
		}
	}
	for _, column := range []struct {
		name string
		set  func(e *compare.Event, text string)
	}{
		{lake.ColumnProducer, func(e *compare.Event, text string) { e.Producer = text }},
		{lake.ColumnKey, func(e *compare.Event, text string) { e.Key = text }},
		{lake.ColumnSubject, func(e *compare.Event, text string) { e.Subject = text }},
	} {
		if err := open(&c, p, g, column.name); err != nil {
			return err
		}
		if n, err := c.Codes(codes); n < rows {
			return short(column.name, n, rows, err)
		}
		words := make([]string, c.Dict().Len())
		for i := range words {
			b := c.Dict().Value(int32(i))
			word, ok := texts[string(b)]
			if !ok {
				word = string(b)
				texts[word] = word
			}
			words[i] = word
		}
		for i := range events {
			if codes[i] >= 0 {
				column.set(&events[i], words[codes[i]])
			}
		}
	}
	for i := range events {
		if events[i].Partition != partition {
			return fmt.Errorf("row %d is of partition %d, the manifest of %d", i, events[i].Partition, partition)
		}
	}
	return nil
}

func open(c *parquet.ColumnReader, p *parquet.File, group int, name string) error {
	i := p.Schema().Index(name)
	if i < 0 {
		return fmt.Errorf("it has no column %q", name)
	}
	return c.Open(p, group, i)
}

func short(name string, n, rows int, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("column %q has %d values for %d rows", name, n, rows)
	}
	return err
}
