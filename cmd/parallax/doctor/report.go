package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Report is what Examine found. Its JSON form is versioned by Schema.
type Report struct {
	Schema int     `json:"schema"`
	Checks []Check `json:"checks"`
}

// Err says what is missing for running, or nil. The text of a report has the remedies.
func (r Report) Err() error {
	var missing []string
	for _, c := range r.Checks {
		if c.State == Missing {
			missing = append(missing, c.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("cannot run on this machine: %s", strings.Join(missing, ", "))
}

// WriteJSON writes the report for machines.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	var text strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&text, "%-9s %-11s %s\n", c.State, c.Name, c.Found)
		if c.Type != "" {
			fmt.Fprintf(&text, "%-21s → %s\n", "", c.Type)
		}
	}
	if r.Err() == nil {
		text.WriteString("Everything is here that a run needs. Type: parallax demo\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}
