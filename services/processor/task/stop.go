package task

import "fmt"

// Stop says why a partition cannot be processed any further, and what a person
// can do. Going on would lose or double something.
type Stop struct {
	Topic     string
	Partition int32
	Reason    string
	Remedy    string // empty if the reason contains it
	Cause     error  // may be nil
}

func (s *Stop) Error() string {
	text := fmt.Sprintf("cannot process topic %q, partition %d: %s", s.Topic, s.Partition, s.Reason)
	if s.Remedy != "" {
		text += "; " + s.Remedy
	}
	return text
}

func (s *Stop) Unwrap() error { return s.Cause }

// What to do is mostly one of these.
const (
	startAnew   = "to start anew from the first offset, choose another topic prefix"
	oneOwner    = "make sure that only this application's processors use its group, and restore the changelog topic from a backup if it was changed"
	tellVersion = "run the version of the program that wrote it, or choose another topic prefix and group to start anew from the first offset"
)

func (l *Loop) stop(partition int32, cause error, remedy, format string, args ...any) error {
	return &Stop{Topic: l.config.Topics.Events, Partition: partition, Reason: fmt.Sprintf(format, args...), Remedy: remedy, Cause: cause}
}
