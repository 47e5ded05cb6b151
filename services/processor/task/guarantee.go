package task

import "fmt"

// Guarantee is what a loop promises of each input record, whoever dies when.
type Guarantee byte

const (
	// ExactlyOnce: its effect is in the output once.
	ExactlyOnce Guarantee = iota
	// AtLeastOnce: once or more often, but for one case. Output is visible before
	// the input is committed, and after a death the input between is taken in again.
	// The case: an owner that was taken for dead wakes, and writes what it had of the
	// state over its successor's; that is then missing at the next restart.
	AtLeastOnce
	// AtMostOnce: once or not at all, but for the same case. The input is committed
	// before its output is sent, and what a death comes between is lost.
	AtMostOnce
)

var guarantees = [...]string{"exactly-once", "at-least-once", "at-most-once"}

func (g Guarantee) String() string { return guarantees[g] }

// ParseGuarantee is the reverse of String.
func ParseGuarantee(name string) (Guarantee, error) {
	for g, known := range guarantees {
		if name == known {
			return Guarantee(g), nil
		}
	}
	return 0, fmt.Errorf("cannot guarantee %q: it is none of exactly-once, at-least-once, at-most-once", name)
}

// checkGuarantee refuses a state that was made under another guarantee: of one
// that may be wrong nothing exact can follow, and an exact one is not to be
// spoiled by a word on the command line. The committed position says which it
// was, and a changelog without exactly once from before the first row on.
func (l *Loop) checkGuarantee(p int32, made Guarantee) error {
	if made == l.config.Guarantee {
		return nil
	}
	if int(made) >= len(guarantees) {
		return l.stop(p, nil, tellVersion, "its changelog names the guarantee %d, which this version does not know", made)
	}
	return l.stop(p, nil, fmt.Sprintf("go on with --guarantee %s, or choose another topic prefix and group to start anew from the first offset", made),
		"its state was made with --guarantee %s, and goes on under no other", made)
}
