package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"parallax.example/services/reporter/report"
)

// identity is an equation to check, in total and, if perKey is given, for each
// key: there it holds the left side less the right one.
type identity struct {
	name, statement string
	view            string // the view's name, if it is about one
	left            report.Quantity
	right           []report.Quantity
	perKey          map[string]int64
}

// identity checks one and appends it to list; one that does not hold is a fault.
func (c *comparison) identity(list *[]report.Identity, i identity) {
	out := report.Identity{Name: i.name, Statement: i.statement, Left: i.left, Right: i.right, Keys: len(i.perKey)}
	var sum int64
	for _, q := range i.right {
		sum += q.Value
	}
	for _, key := range slices.Sorted(maps.Keys(i.perKey)) {
		if i.perKey[key] != 0 {
			out.Broken = append(out.Broken, key)
		}
	}
	out.Holds = i.left.Value == sum && len(out.Broken) == 0
	if !out.Holds {
		f := report.Fault{Check: checkIdentity, View: i.view, What: fmt.Sprintf("%q does not hold: %s", i.statement, equation(i.left, i.right))}
		if n := len(out.Broken); n > 0 {
			f.What += fmt.Sprintf("; it is broken for %d of %d keys", n, len(i.perKey))
			f.Key = out.Broken[0]
		}
		c.fault(f)
	}
	out.Broken = out.Broken[:min(len(out.Broken), maxBroken)]
	*list = append(*list, out)
}

func equation(left report.Quantity, right []report.Quantity) string {
	parts := make([]string, len(right))
	for i, q := range right {
		parts[i] = fmt.Sprintf("%d %s", q.Value, q.Name)
	}
	return fmt.Sprintf("%d %s against %s", left.Value, left.Name, strings.Join(parts, " + "))
}

func quantity(name string, v uint64) report.Quantity {
	return report.Quantity{Name: name, Value: int64(v)}
}

// records states that every message below the cut is in exactly one class, and
// that the lists at hand are as long as the counts say.
func (c *comparison) records() {
	c.r.Cut = slices.SortedFunc(slices.Values(c.in.Cut), func(a, b report.Partition) int {
		return cmp.Compare(a.Partition, b.Partition)
	})
	sum := &c.r.Records
	for i := range c.r.Cut {
		p := &c.r.Cut[i].Records
		c.r.Cut[i].Idle = p.Valid+p.Duplicate+p.Stale == 0
		sum.Total += p.Total
		sum.Valid += p.Valid
		sum.Duplicate += p.Duplicate
		sum.Stale += p.Stale
		sum.DeadLetter += p.DeadLetter
		sum.Punctuation += p.Punctuation
	}
	classes := []report.Quantity{quantity("valid", sum.Valid), quantity("duplicate", sum.Duplicate), quantity("stale", sum.Stale)}
	c.identity(&c.r.Identities, identity{
		name: "records", statement: "records = valid + duplicate + stale + dead letters + punctuation",
		left:  quantity("records", sum.Total),
		right: append(slices.Clone(classes), quantity("dead letters", sum.DeadLetter), quantity("punctuation", sum.Punctuation)),
	})
	c.identity(&c.r.Identities, identity{
		name: "events", statement: "events in the lake = valid + duplicate + stale",
		left: quantity("events in the lake", uint64(len(c.in.Log))), right: classes,
	})
	c.identity(&c.r.Identities, identity{
		name: "dead-letters", statement: "dead letters of the lake = dead letters counted by the batch",
		left: quantity("dead letters of the lake", uint64(len(c.in.Dead))), right: []report.Quantity{quantity("counted", sum.DeadLetter)},
	})
}

// placementIdentities state that every placement of a valid event in a closed
// window was counted or left out, once; the left side is read from the log
// alone.
func (c *comparison) placementIdentities(totals map[string]*total) {
	for i := range c.in.Log {
		if c.log[i]&first == 0 {
			continue
		}
		e := &c.in.Log[i]
		for name := range c.placements(e) {
			if c.compared(name) {
				t := totals[name.View]
				t.placements++
				t.key(name.Key).left++
			}
		}
	}
	for i := range c.in.Views.Views {
		t, v := totals[c.in.Views.Views[i].ID()], &c.r.Views[i]
		perKey := make(map[string]int64, len(t.keys))
		for key, k := range t.keys {
			perKey[key] = k.left
		}
		placements := identity{
			name: "placements", view: v.Name, statement: "placements in closed windows = counted by the stream + late + stale",
			left:   quantity("placements", t.placements),
			right:  []report.Quantity{quantity("counted", t.stream.Count), quantity("late", t.late.Count), quantity("stale", t.stale)},
			perKey: perKey,
		}
		if t.besides+t.missing > 0 {
			placements.statement += " + not counted - counted besides"
			placements.right = append(placements.right, quantity("not counted", t.missing), report.Quantity{Name: "counted besides", Value: -int64(t.besides)})
		}
		c.identity(&v.Identities, placements)
		n := &v.Cells
		cells := identity{
			name: "cells", view: v.Name, statement: "closed cells = same + explained + unexplained",
			left:  quantity("closed cells", uint64(n.Closed)),
			right: []report.Quantity{quantity("same", uint64(n.Same)), quantity("explained", uint64(n.Explained)), quantity("unexplained", uint64(n.Unexplained))},
		}
		if n.Damaged > 0 {
			cells.statement += " + damaged"
			cells.right = append(cells.right, quantity("damaged", uint64(n.Damaged)))
		}
		c.identity(&v.Identities, cells)
	}
}
