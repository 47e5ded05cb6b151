package batch

import (
	"fmt"
	"strings"

	"parallax.example/internal/answer"
)

// Summary says in a few lines for a person what a job answered.
func Summary(folder string, s *answer.Success) string {
	var total answer.Partition
	counted, late := int64(0), int64(0)
	for _, p := range s.Partitions {
		total.Records += p.Records
		total.Events += p.Events
		total.Valid += p.Valid
		total.Duplicates += p.Duplicates
		total.Stale += p.Stale
		total.DeadLetters += p.DeadLetters
		total.Punctuations += p.Punctuations
		for _, v := range p.Views {
			counted, late = counted+v.Counted, late+v.Late
		}
	}
	rows := int64(0)
	for _, f := range s.Files {
		if strings.HasPrefix(f.Path, answer.RowsFolder+"/") {
			rows += f.Rows
		}
	}
	return fmt.Sprintf(`job %s of topic %s, cut %s
  %d records = %d valid + %d duplicate + %d stale + %d dead letters + %d punctuation
  %d placements in %d views = %d counted + %d late
  %d rows in both readings in %s
`, s.Job, s.Topic, FormatCut(Cut(s)),
		total.Records, total.Valid, total.Duplicates, total.Stale, total.DeadLetters, total.Punctuations,
		counted+late, len(s.Views), counted, late, rows, folder)
}
