package config

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	Place   string // "--speed", "PARALLAX_SPEED" or "generator.yaml:3"
	Message string
}

func (f Fault) Error() string { return f.Place + ": " + f.Message }

// Faultf makes the fault of a flag. The place is the flag's name with its
// dashes; Parse replaces it with the variable or the line of the file when the
// value came from there.
func Faultf(flag, format string, args ...any) Fault {
	return Fault{Place: flag, Message: fmt.Sprintf(format, args...)}
}

// Faults are all that is wrong with a configuration.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// add appends a fault once: a list with the same mistake in two entries, or a
// flag given twice, is one fault.
func (f *Faults) add(place, message string) {
	fault := Fault{Place: place, Message: message}
	if !slices.Contains(*f, fault) {
		*f = append(*f, fault)
	}
}

// at reports whether the place has a fault already.
func (f Faults) at(place string) bool {
	return slices.ContainsFunc(f, func(fault Fault) bool { return fault.Place == place })
}
