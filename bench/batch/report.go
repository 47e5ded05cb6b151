package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// result is what was measured on one set.
type result struct {
	Set     set      `json:"set"`
	Bytes   int64    `json:"bytes"` // of its files
	Threads int      `json:"threads"`
	Machine machine  `json:"machine"`
	Samples []sample `json:"samples"`
}

func (r *result) write(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, r.Set.Name+".json"), append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write the result of %s: %w", r.Set.Name, err)
	}
	return nil
}

// page writes one table of all results in the folder, also of former runs.
func page(folder string) error {
	var b strings.Builder
	b.WriteString("# The batch's query beside other engines\n\nPer hour and key count, sum, min and max. Medians; the answers of all engines are the same bytes. Ratios are CPU seconds, to those of Parallax.\n")
	var last machine
	for i := range sets {
		r := &result{}
		text, err := os.ReadFile(filepath.Join(folder, sets[i].Name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(text, r)
		}
		if err != nil {
			return fmt.Errorf("cannot read the result of %s: %w", sets[i].Name, err)
		}
		if err := r.check(); err != nil {
			return err
		}
		if r.Machine != last {
			last = r.Machine
			fmt.Fprintf(&b, "\n%s\n", last)
		}
		b.WriteString(r.table())
	}
	name := filepath.Join(folder, "batch.md")
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("cannot write the page: %w", err)
	}
	return nil
}

func (r *result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s, %s, %d MiB, %d threads; the answer has %d rows.\n\n", r.Set.Name, r.Set.About, r.Set.Codec, r.Bytes>>20, r.Threads, r.Samples[0].Rows)
	b.WriteString("| engine | CPU s | ratio | wall s | peak MiB | runs |\n|---|---:|---:|---:|---:|---:|\n")
	least := 0.0
	for i, engine := range r.engines() {
		of := func(figure func(sample) float64) float64 { return median(r.of(engine, figure)) }
		used := of(func(s sample) float64 { return s.CPU })
		if i == 0 {
			least = used
		}
		name := engine
		for _, s := range r.Samples {
			if s.Engine == engine && s.Version != "" {
				name = engine + " " + s.Version
			}
		}
		fmt.Fprintf(&b, "| %s | %.3f | %.2f | %.3f | %.0f | %d |\n", name, used, used/least,
			of(func(s sample) float64 { return s.Wall }), of(func(s sample) float64 { return float64(s.Peak) / (1 << 20) }), len(r.of(engine, func(sample) float64 { return 0 })))
	}
	return b.String()
}

// engines are those of the samples, in their order.
func (r *result) engines() (names []string) {
	for _, s := range r.Samples {
		if !slices.Contains(names, s.Engine) {
			names = append(names, s.Engine)
		}
	}
	return names
}

func (r *result) of(engine string, figure func(sample) float64) (list []float64) {
	for _, s := range r.Samples {
		if s.Engine == engine {
			list = append(list, figure(s))
		}
	}
	return list
}

// median of at least one value; of an even number the mean of the middle two.
func median(values []float64) float64 {
	slices.SortFunc(values, cmp.Compare[float64])
	n := len(values)
	if n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[n/2]
}
