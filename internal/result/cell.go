package result

import (
	"cmp"
	"strings"

	"parallax.example/internal/view"
)

// Cell names what one partition says of one window of one key in one view.
type Cell struct {
	View      string // view.View.ID
	Key       string
	Span      view.Span
	Partition int32
}

// Compare orders cells by view, window start, key, partition: the order of
// every listing and file.
func (c Cell) Compare(d Cell) int {
	return cmp.Or(
		strings.Compare(c.View, d.View),
		cmp.Compare(c.Span.Start, d.Span.Start),
		cmp.Compare(c.Span.End, d.Span.End),
		strings.Compare(c.Key, d.Key),
		cmp.Compare(c.Partition, d.Partition),
	)
}
