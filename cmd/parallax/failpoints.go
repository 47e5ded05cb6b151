package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"parallax.example/internal/failpoint"
)

type failpointsCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown by --help.
func (c *failpointsCommand) Help() string {
	return `A failpoint is armed by the environment of the program that is to break:

    PARALLAX_FAILPOINTS="NAME=ACTION@HITS,…"   # kill, stop, delay=D, fail, kill-after=D; @3, @3+, @1/50:SEED
    PARALLAX_FAILPOINTS_LOG=FILE               # each firing: name, hit, action, time, process id

Mutants are known bugs, for programs built with -tags mutants; PARALLAX_MUTANT names them.`
}

func (c *failpointsCommand) Run(context.Context) error {
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Schema     int               `json:"schema"`
			Failpoints []failpoint.Point `json:"failpoints"`
			Mutants    []failpoint.Point `json:"mutants"`
		}{1, failpoint.Points, failpoint.Mutants})
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "failpoint\twhen it is hit")
	for _, p := range failpoint.Points {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, p.What)
	}
	fmt.Fprintln(w, "\nmutant\twhat is wrong")
	for _, p := range failpoint.Mutants {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, p.What)
	}
	return w.Flush()
}
