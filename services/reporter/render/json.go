package render

import (
	"encoding/json"
	"fmt"
	"io"

	"parallax.example/services/reporter/report"
)

// JSON writes report.json; docs/report-schema.md says what each field means.
func JSON(w io.Writer, r *report.Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("cannot write the report as JSON: %w", err)
	}
	return nil
}
