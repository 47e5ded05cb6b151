package batch

import (
	"encoding/json"
	"fmt"

	"parallax.example/internal/answer"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/batch/mapreduce"
)

// tables writes what one reduce task merged: a file of rows and one of judgements.
type tables struct {
	pl             *plan
	rowsName       string
	judgementsName string
	rows           *answer.RowWriter
	judgements     *answer.JudgementWriter
	create         mapreduce.Create
}

func (pl *plan) reduce(task int, create mapreduce.Create) (mapreduce.Reducer, error) {
	return &tables{
		pl:             pl,
		rowsName:       fmt.Sprintf("%s/part-%05d.parquet", answer.RowsFolder, task),
		judgementsName: fmt.Sprintf("%s/part-%05d.parquet", answer.JudgementsFolder, task),
		create:         create,
	}, nil
}

// Put writes one record. Files without rows are not made.
func (t *tables) Put(key, value []byte) (err error) {
	if key[0] == cellRecord {
		if t.rows == nil {
			w, err := t.create(t.rowsName)
			if err != nil {
				return err
			}
			if t.rows, err = answer.NewRowWriter(w); err != nil {
				return err
			}
		}
		return t.cell(key, value)
	}
	if t.judgements == nil {
		w, err := t.create(t.judgementsName)
		if err != nil {
			return err
		}
		if t.judgements, err = answer.NewJudgementWriter(w); err != nil {
			return err
		}
	}
	return t.judgement(key, value)
}

func (t *tables) cell(key, value []byte) error {
	k, err := decodeCellKey(key)
	if err != nil {
		return err
	}
	both, err := decodeReadings(value)
	if err != nil {
		return err
	}
	v := &t.pl.views.Views[k.view]
	row := answer.Row{
		Cell: result.Cell{
			View: v.ID(), Key: string(k.key), Partition: k.partition,
			Span: view.Span{Start: k.start, End: k.start + v.Window.Size},
		},
	}
	if at := t.pl.partitions[k.partition].closings[k.view].at(row.Cell.Span.End); at != never {
		row.Closed, row.ClosedAt = true, at
	}
	if both.a.Count > 0 {
		row.Reading, row.Agg.Plain = answer.A, both.a
		if err := t.rows.Write(&row); err != nil {
			return err
		}
	}
	row.Reading, row.Agg.Plain = answer.B, both.b
	return t.rows.Write(&row)
}

func (t *tables) judgement(key, value []byte) error {
	x, err := decodeJudgement(key, value)
	if err != nil {
		return err
	}
	j := answer.Judgement{
		Partition: x.partition, Offset: x.offset,
		Cell:   result.Cell{Key: string(x.key), Partition: x.partition},
		CauseA: x.causeA, CauseB: x.causeB, Time: x.time, Value: x.value,
		HasID: x.producer != nil, Producer: string(x.producer), Seq: x.seq,
	}
	if x.view >= 0 {
		v := &t.pl.views.Views[x.view]
		j.Cell.View = v.ID()
		j.Cell.Span = view.Span{Start: x.start, End: x.start + v.Window.Size}
	}
	return t.judgements.Write(&j)
}

// Close ends the files.
func (t *tables) Close() (map[string]int64, error) {
	rows := map[string]int64{}
	var err error
	if t.rows != nil {
		if rows[t.rowsName], err = t.rows.Close(); err != nil {
			return nil, err
		}
	}
	if t.judgements != nil {
		if rows[t.judgementsName], err = t.judgements.Close(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// success is what _SUCCESS.json says, after the identities that must hold.
func (pl *plan) success(job string, done mapreduce.Done) (answer.Success, error) {
	s := answer.Success{Version: answer.Version, Job: job, Topic: pl.topic, TopicID: pl.topicID, Files: []answer.File{}}
	for i := range pl.views.Views {
		v := &pl.views.Views[i]
		s.Views = append(s.Views, answer.View{Name: v.Name, ID: v.ID()})
	}
	for _, p := range pl.partitions {
		total := p.Partition
		for i := range pl.views.Views {
			v := &pl.views.Views[i]
			n := func(name string) int64 { return done.Counters[counter(total.Partition, i, name)] }
			x := answer.Placements{View: v.ID(), Counted: n(countedName), Late: n(lateName), CountedB: n(countedBName)}
			overlap := v.Window.Size / v.Window.Hop
			if x.Counted+x.Late != total.Valid*overlap || x.CountedB != (total.Events-total.RepeatedIDs)*overlap {
				return s, fmt.Errorf("partition %d, view %s: %d counted and %d late placements of %d valid events, B %d of %d: the lake changed while it was read",
					total.Partition, v.ID(), x.Counted, x.Late, total.Valid, x.CountedB, total.Events-total.RepeatedIDs)
			}
			total.Views = append(total.Views, x)
		}
		s.Partitions = append(s.Partitions, total)
	}
	for _, f := range done.Files {
		s.Files = append(s.Files, answer.File(f))
	}
	return s, nil
}

func encodeSuccess(s *answer.Success) ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}
