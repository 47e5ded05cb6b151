package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// table is one of Markdown. The first column is text, the others are figures.
type table struct {
	head []string
	rows [][]string
}

// add adds a row: its name, then a format and a value for each figure.
func (t *table) add(name string, figures ...any) {
	row := []string{name}
	for i := 0; i < len(figures); i += 2 {
		format, ok := figures[i].(string)
		if !ok {
			panic("BUG: a figure without a format")
		}
		row = append(row, fmt.Sprintf(format, figures[i+1]))
	}
	if len(row) != len(t.head) {
		panic(fmt.Sprintf("BUG: %d figures below %d heads", len(row), len(t.head)))
	}
	t.rows = append(t.rows, row)
}

func (t *table) String() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	b.WriteString("|---" + strings.Repeat("|---:", len(t.head)-1) + "|\n")
	for _, row := range t.rows {
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "|", `\|`)
		}
		line(row)
	}
	return b.String()
}

// write leaves the results of a part: figures, page and chart.
func (l *lab) write(name string, figures any, page, chart string) error {
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the results of %s: %w", name, err)
	}
	page += "\n![" + name + "](" + name + ".svg)\n\n" + l.machine.String()
	file := func(suffix string) string { return filepath.Join(l.out, name+suffix) }
	if err := errors.Join(
		os.WriteFile(file(".json"), append(text, '\n'), 0o644),
		os.WriteFile(file(".md"), []byte(page), 0o644),
		os.WriteFile(file(".svg"), []byte(chart), 0o644),
	); err != nil {
		return fmt.Errorf("cannot write the results of %s: %w", name, err)
	}
	l.progress("results: %s", file(".md"))
	fmt.Fprintln(l.say, page)
	return nil
}
