package task

import (
	"encoding/json"
	"slices"
	"strings"

	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// marker is the value of parallax.markers that tells of a changed view.
type marker struct {
	Kind      string `json:"kind"` // view-reset, view-rebuilding, view-rebuilt, view-dropped
	View      string `json:"view"` // name@hash
	Partition int32  `json:"partition"`
	// Offset is the first one that the view counts by the new definition as it
	// comes. Of view-rebuilding it is the one that the processor had committed.
	Offset int64 `json:"offset"`
}

func encode(m any) []byte {
	text, err := json.Marshal(m)
	if err != nil {
		panic("BUG: a marker is not JSON: " + err.Error())
	}
	return text
}

// tell writes markers outside of any transaction, and returns when they are in
// the log: what is written afterwards comes later.
func (l *Loop) tell(markers []any) error {
	if len(markers) == 0 {
		return nil
	}
	records := kafka.Records{Topics: []string{l.config.Topics.Markers}}
	for _, m := range markers {
		records.Add(0, nil, encode(m))
	}
	sender, err := l.config.Kafka.Sender(kafka.SenderConfig{Timeout: l.config.TransactionTimeout})
	if err != nil {
		return err
	}
	defer sender.Close()
	if err := sender.ProduceAll(&records); err != nil {
		return err
	}
	return sender.Flush()
}

// markers are those of one partition that is moved.
func (c *change) markers(p int32, offset int64, differ *engine.ViewsError) (values [][]byte) {
	add := func(kind, id string) {
		values = append(values, encode(marker{kind, id, p, offset}))
	}
	for _, id := range differ.File {
		if !slices.Contains(differ.State, id) {
			add(c.kind, id)
		}
	}
	for _, id := range differ.State {
		if name, _, _ := strings.Cut(id, "@"); slices.Contains(differ.Gone, name) {
			add("view-dropped", id)
		}
	}
	return values
}

// announce tells of the rebuild before its first row: whoever reads the results
// meanwhile finds there a view that no processor answers yet.
func (r *rebuild) announce(views *view.File) error {
	var told []any
	for p, aim := range r.aims {
		if r.switched[int32(p)] {
			continue
		}
		for i := range views.Views {
			told = append(told, marker{"view-rebuilding", views.Views[i].ID(), int32(p), aim.offset})
		}
	}
	return r.loop.tell(told)
}
