package engine

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ViewsError says that the state answers other questions than the engine is to
// answer. Ids carry the hash of their definition and of the rules of time.
type ViewsError struct {
	State, File []string // view.View.ID, sorted

	// Names of views, sorted: whose definition changed, which the state lacks,
	// which the file lacks.
	Changed, New, Gone []string
	// Time says that the rules of time changed, and so the state of every view.
	Time bool
}

func (e *ViewsError) Error() string {
	const refuses = "the processor refuses to continue: "
	if e.Time {
		return refuses + "the rules of time in views.yaml (time:) are not those of its state, which cannot go on under others; " +
			"put the former rules back, or answer from the first offset on under another topic prefix and group"
	}
	var what, do []string
	for _, name := range e.Changed {
		what = append(what, fmt.Sprintf("view %q has another definition than in the state", name))
	}
	for _, name := range e.New {
		what = append(what, fmt.Sprintf("view %q is new", name))
	}
	for _, name := range e.Gone {
		what = append(what, fmt.Sprintf("view %q of the state is not in views.yaml any more", name))
	}
	for _, name := range slices.Concat(e.Changed, e.New) {
		do = append(do, fmt.Sprintf("`parallax processor reset --view %s` to start it anew from now, "+
			"or `parallax processor rebuild --view %s` to recompute it from the first retained offset", name, name))
	}
	for _, name := range e.Gone {
		do = append(do, fmt.Sprintf("`parallax processor reset --view %s` to drop it", name))
	}
	return refuses + strings.Join(what, ", ") + "; put the former definitions back, or type " + strings.Join(do, "; ")
}

// compareViews returns a *ViewsError if the state belongs to other views.
func (e *Engine) compareViews() error {
	m := e.load.meta
	err := &ViewsError{Time: m.rules != rulesHash(&e.rule)}
	names := map[string]int{} // 1 in the state, 2 in the file, 3 in both
	for i := range m.Views {
		err.State = append(err.State, m.Views[i].View)
		names[nameOf(m.Views[i].View)] |= 1
	}
	for i := range e.views {
		err.File = append(err.File, string(e.views[i].id))
		names[e.views[i].def.Name] |= 2
	}
	if slices.Equal(err.State, err.File) && !err.Time {
		return nil
	}
	for name, in := range names {
		same := func(id string) bool { return nameOf(id) == name }
		switch {
		case in == 1:
			err.Gone = append(err.Gone, name)
		case in == 2:
			err.New = append(err.New, name)
		case err.State[slices.IndexFunc(err.State, same)] != err.File[slices.IndexFunc(err.File, same)]:
			err.Changed = append(err.Changed, name)
		}
	}
	slices.Sort(err.Changed)
	slices.Sort(err.New)
	slices.Sort(err.Gone)
	return err
}

// nameOf is the name in a view's id.
func nameOf(id string) string {
	name, _, _ := strings.Cut(id, "@")
	return name
}

// Change ends the loading like Loaded, of an engine that was made with another
// views file than the state. Views that the file lacks are dropped. Those that
// the state lacks begin empty, with the next offset; or with the cells and
// totals of rebuilt, an engine of exactly these views that stands at the same
// offset, if it is not nil. The transaction that says so is flushed into out,
// which gets no rows; its number is above those of rebuilt. Commit is to follow,
// or Rollback, after which the engine is of no use. The Meta is that of the state as it was, but for its views.
func (e *Engine) Change(rebuilt *Engine, out *Output) (Meta, error) {
	if e.load == nil {
		e.load = &loading{meta: &metaRecord{rules: rulesHash(&e.rule)}}
	}
	load := e.load
	m := load.meta
	switch {
	case m == nil:
		return Meta{}, errNoMeta
	case load.reach != 0:
		return Meta{}, errNotAtomic
	}
	var changed *ViewsError
	if errors.As(e.compareViews(), &changed) && changed.Time {
		return Meta{}, changed
	}
	if rebuilt != nil {
		if err := rebuilt.fits(e, m); err != nil {
			return Meta{}, fmt.Errorf("cannot take over the rebuilt views: %w", err)
		}
	}
	meta := Meta{}
	if m.Transaction > 0 {
		var err error
		if meta, err = e.adopted(); err != nil {
			return Meta{}, err
		}
	}
	e.load = nil
	e.begin()
	e.changing = true
	if rebuilt != nil {
		// Of a cell the row of the later transaction counts: what follows must be
		// later than all that the other engine has said.
		e.transaction = max(e.transaction, rebuilt.transaction)
		for i := range rebuilt.views {
			e.take(&rebuilt.views[i], &rebuilt.stats.Views[i])
		}
		e.schedule()
	}
	e.foreign = load.foreign
	e.flushState(out)
	return meta, nil
}

// fits says why e cannot give its views to another engine, whose state m tells.
func (e *Engine) fits(to *Engine, m *metaRecord) error {
	if e.open || e.load != nil {
		panic("BUG: Change with an engine that is loading or in a transaction")
	}
	var lacks, has []string
	for i := range to.views {
		if id := string(to.views[i].id); !slices.ContainsFunc(m.Views, func(s ViewStats) bool { return s.View == id }) {
			lacks = append(lacks, id)
		}
	}
	for i := range e.views {
		has = append(has, string(e.views[i].id))
	}
	watermark := m.Watermark
	if m.Transaction == 0 {
		watermark = NoWatermark
	}
	switch {
	case !slices.Equal(lacks, has):
		return fmt.Errorf("they are %q, but the state lacks %q", has, lacks)
	case e.next != m.Next:
		return fmt.Errorf("they stand at offset %d, but the state at %d", e.next, m.Next)
	case e.clock.watermark != watermark:
		return fmt.Errorf("their watermark at offset %d is %d, but the state's is %d: they did not see the same records", e.next, e.clock.watermark, watermark)
	}
	return nil
}

// take copies the cells of a view of another engine, as changes of the open transaction.
func (e *Engine) take(from *viewState, stats *ViewStats) {
	i := slices.IndexFunc(e.views, func(v viewState) bool { return v.hash == from.hash })
	v := &e.views[i]
	e.stats.Views[i] = *stats
	for old := range from.list {
		o := &from.list[old]
		if o.key == noKey {
			continue
		}
		text := from.keys.text(o.key)
		key, known := e.keys.find(text)
		if !known {
			key = e.keys.add(text)
		}
		before, after := v.seek(key, o.start)
		id := v.insert(key, o.start, before, after)
		v.list[id].agg = o.agg
		if v.isSession() {
			v.sessions[id] = session{end: from.sessions[old].end, told: from.sessions[old].told}
		} else {
			p := v.panes.at(o.start)
			p.cells = append(p.cells, id)
		}
		if v.sketches != nil {
			v.sketches[id].set(&from.sketches[old])
			v.encoded += uint64(from.sketches[old].encoded)
		}
	}
}

// checkForeign looks whether the cells of views that the file lacks are all
// there: whoever drops them must know them.
func (e *Engine) checkForeign(m *metaRecord) error {
	found := map[string]uint64{}
	for key := range e.load.foreign {
		found[key[2:10]]++
	}
	for i := range m.Views {
		s := &m.Views[i]
		hash := viewHash(s.View)
		if slices.ContainsFunc(e.views, func(v viewState) bool { return v.hash == hash }) {
			continue
		}
		if n := found[string(hash[:])]; n != s.Cells {
			return fmt.Errorf("view %s has %d open cells, but its meta record counts %d", s.View, n, s.Cells)
		}
		delete(found, string(hash[:]))
	}
	for hash := range found {
		return fmt.Errorf("it has cells of a view with hash %s, which its meta record does not name", hex.EncodeToString([]byte(hash)))
	}
	return nil
}

// flushForeign ends the cells of views that were dropped.
func (e *Engine) flushForeign(out *Output) {
	for key := range e.foreign {
		out.begin(Changelog)
		out.data = append(out.data, key...)
		out.tombstoneDone()
	}
}
