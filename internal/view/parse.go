package view

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Bounds of a definition. They keep every sum of a time and a length within
// int64 and every event's windows within reason.
const (
	maxLength  = 3660 * 24 * time.Hour // of a window, a lateness, a lag
	maxOverlap = 1024                  // windows per event and view
	maxViews   = 64
	maxName    = 64
	maxOf      = 1 << 16
	maxFile    = 1 << 20 // bytes
)

// Fault is one thing wrong with a file, with its place.
type Fault struct {
	File         string
	Line, Column int // 1-based; 0 when the fault is of the whole file
	Message      string
}

func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Faults are all that is wrong with a file, in the order of their places.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// Parse reads the text of a views.yaml; name is how messages call the file.
// The error is a Faults with every fault that was found.
func Parse(name string, text []byte) (*File, error) {
	p := parser{name: name}
	f := p.file(text)
	if len(p.faults) > 0 {
		slices.SortStableFunc(p.faults, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, p.faults
	}
	return f, nil
}

type parser struct {
	name   string
	faults Faults
}

func (p *parser) fault(n *yaml.Node, format string, args ...any) {
	f := Fault{File: p.name, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		f.Line, f.Column = n.Line, n.Column
	}
	p.faults = append(p.faults, f)
}

func (p *parser) file(text []byte) *File {
	if len(text) > maxFile {
		p.fault(nil, "%d bytes are too many, at most %d are read", len(text), maxFile)
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		p.syntax(err)
		return nil
	}
	if len(doc.Content) == 0 {
		p.fault(nil, "the file is empty: it needs at least one entry below views:")
		return nil
	}
	f := &File{Time: Time{Count: 8, Of: 64}}
	var views *yaml.Node
	p.mapping(doc.Content[0], "the file", map[string]func(*yaml.Node){
		"time":  func(n *yaml.Node) { p.time(n, &f.Time) },
		"views": func(n *yaml.Node) { views = n },
	})
	switch {
	case doc.Content[0].Kind != yaml.MappingNode:
	case views == nil:
		p.fault(doc.Content[0], "views: is missing")
	case views.Kind != yaml.SequenceNode || len(views.Content) == 0:
		p.fault(views, "views: must be a list with at least one view")
	case len(views.Content) > maxViews:
		p.fault(views, "%d views are too many, at most %d are answered", len(views.Content), maxViews)
	default:
		lines := map[string]int{}
		for _, n := range views.Content {
			v := p.view(n)
			if first, twice := lines[v.Name]; twice && v.Name != "" {
				p.fault(n, "the name %q is taken by the view on line %d", v.Name, first)
			} else {
				lines[v.Name] = n.Line
			}
			f.Views = append(f.Views, v)
		}
	}
	for i := range f.Views {
		f.Views[i].seal(&f.Time)
	}
	return f
}

// syntax turns the library's message, which names the line, into a fault.
func (p *parser) syntax(err error) {
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		for _, m := range typed.Errors {
			p.fault(nil, "%s", m)
		}
		return
	}
	f := Fault{File: p.name, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if rest, ok := strings.CutPrefix(f.Message, "line "); ok {
		if num, msg, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(num); err == nil {
				f.Line, f.Column, f.Message = line, 1, msg
			}
		}
	}
	p.faults = append(p.faults, f)
}

// mapping calls the handler of each known name; unknown and doubled names are faults.
func (p *parser) mapping(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "%s must be a mapping with %s", what, names(known))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		handle, ok := known[k.Value]
		switch {
		case !ok:
			p.fault(k, "%q is not known here; known are %s", k.Value, names(known))
		case seen[k.Value]:
			p.fault(k, "%q stands twice", k.Value)
		default:
			seen[k.Value] = true
			handle(v)
		}
	}
}

func names(known map[string]func(*yaml.Node)) string {
	list := make([]string, 0, len(known))
	for k := range known {
		list = append(list, k)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (p *parser) time(n *yaml.Node, t *Time) {
	p.mapping(n, "time:", map[string]func(*yaml.Node){
		"believed": func(n *yaml.Node) {
			p.mapping(n, "believed:", map[string]func(*yaml.Node){
				"count": func(n *yaml.Node) { t.Count = p.number(n, "count", 1, maxOf) },
				"of":    func(n *yaml.Node) { t.Of = p.number(n, "of", 1, maxOf) },
			})
			if t.Count > t.Of {
				p.fault(n, "believed: count %d of %d can never happen; count must not be above of", t.Count, t.Of)
			}
		},
		"lag": func(n *yaml.Node) { t.Lag = p.duration(n, "lag", 0) },
		"punctuation": func(n *yaml.Node) {
			if n.Kind != yaml.SequenceNode {
				p.fault(n, "punctuation: must be a list of senders, such as [generator]")
				return
			}
			for _, s := range n.Content {
				if s.Kind != yaml.ScalarNode || s.Value == "" || len(s.Value) > maxName {
					p.fault(s, "a sender is a text of 1 to %d bytes", maxName)
					continue
				}
				t.Senders = append(t.Senders, s.Value)
			}
			slices.Sort(t.Senders)
			t.Senders = slices.Compact(t.Senders)
		},
	})
}

func (p *parser) view(n *yaml.Node) View {
	v := View{Lateness: int64(time.Hour / time.Microsecond), Aggregates: Plain}
	var window *yaml.Node
	p.mapping(n, "a view", map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			if !validName(n.Value) || n.Kind != yaml.ScalarNode {
				p.fault(n, "name %q must be 1 to %d of a-z, 0-9 and '-', beginning with a letter", n.Value, maxName)
				return
			}
			v.Name = n.Value
		},
		"window":     func(n *yaml.Node) { window = n; v.Window = p.window(n) },
		"lateness":   func(n *yaml.Node) { v.Lateness = p.duration(n, "lateness", 0) },
		"aggregates": func(n *yaml.Node) { v.Aggregates = p.aggregates(n) },
		"emit": func(n *yaml.Node) {
			v.FinalOnly = n.Value == "final"
			if n.Kind != yaml.ScalarNode || n.Value != "final" && n.Value != "updates" {
				p.fault(n, "emit: %q must be updates (rows of open windows too, the default) or final", n.Value)
			}
		},
	})
	if n.Kind == yaml.MappingNode {
		if !has(n, "name") {
			p.fault(n, "the view has no name")
		}
		if window == nil {
			p.fault(n, "the view has no window, such as window: {tumbling: 1h}")
		}
	}
	return v
}

func has(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

func validName(s string) bool {
	if s == "" || len(s) > maxName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// window reads {tumbling: 1h}, {hopping: 6h, every: 1h} or {session: 30m}.
func (p *parser) window(n *yaml.Node) Window {
	var w Window
	var every *yaml.Node
	kind := func(k Kind) func(*yaml.Node) {
		return func(n *yaml.Node) {
			if w.Kind != 0 {
				p.fault(n, "a window is tumbling, hopping or a session, one of them")
				return
			}
			length := p.duration(n, k.String(), 1)
			if w.Kind = k; k == Session {
				w.Gap = length
			} else {
				w.Size = length
			}
		}
	}
	before := len(p.faults)
	p.mapping(n, "window:", map[string]func(*yaml.Node){
		"tumbling": kind(Tumbling),
		"hopping":  kind(Hopping),
		"session":  kind(Session),
		"every":    func(n *yaml.Node) { every = n; w.Hop = p.duration(n, "every", 1) },
	})
	if len(p.faults) > before {
		return w
	}
	switch {
	case w.Kind == 0:
		p.fault(n, "window: needs tumbling: LENGTH, hopping: LENGTH with every: STEP, or session: GAP")
	case w.Kind != Hopping && every != nil:
		p.fault(every, "every: belongs to a hopping window only")
	case w.Kind == Session:
	case w.Kind == Tumbling:
		w.Hop = w.Size
	case every == nil:
		p.fault(n, "a hopping window needs every: STEP, such as {hopping: 6h, every: 1h}")
	case w.Hop > w.Size:
		p.fault(every, "every: %s is longer than the window of %s: events between two windows would count nowhere", micros(w.Hop), micros(w.Size))
	case w.Size%w.Hop != 0:
		p.fault(every, "every: %s does not divide the window of %s", micros(w.Hop), micros(w.Size))
	case w.Size/w.Hop > maxOverlap:
		p.fault(every, "each event would fall into %d windows, at most %d are answered", w.Size/w.Hop, maxOverlap)
	}
	return w
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func (p *parser) aggregates(n *yaml.Node) []Aggregate {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fault(n, "aggregates: must be a list of some of %v", Aggregates)
		return nil
	}
	asked := map[Aggregate]bool{}
	for _, a := range n.Content {
		switch name := Aggregate(a.Value); {
		case !slices.Contains(Aggregates, name):
			p.fault(a, "aggregate %q is not known; known are %v", a.Value, Aggregates)
		case asked[name]:
			p.fault(a, "aggregate %q stands twice", a.Value)
		default:
			asked[name] = true
		}
	}
	var list []Aggregate // in the order of the columns: the order asked in is no part of the question
	for _, a := range Aggregates {
		if asked[a] {
			list = append(list, a)
		}
	}
	return list
}

func (p *parser) number(n *yaml.Node, name string, low, high int) int {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < low || v > high {
		p.fault(n, "%s: %q must be a whole number from %d to %d", name, n.Value, low, high)
		return low
	}
	return v
}

// duration reads Go's form and whole days ("7d"), in whole µs, at least low µs.
func (p *parser) duration(n *yaml.Node, name string, low int64) int64 {
	d, err := time.ParseDuration(n.Value)
	if days, ok := strings.CutSuffix(n.Value, "d"); ok {
		var k int
		if k, err = strconv.Atoi(days); err == nil && k >= 0 && k <= int(maxLength/(24*time.Hour)) {
			d = time.Duration(k) * 24 * time.Hour
		} else {
			err = strconv.ErrRange
		}
	}
	if n.Kind != yaml.ScalarNode || err != nil || d%time.Microsecond != 0 || int64(d/time.Microsecond) < low || d > maxLength {
		p.fault(n, "%s: %q must be a length of time such as 90s, 1h or 7d, from %s to %dd, in whole µs", name, n.Value, micros(low), maxLength/(24*time.Hour))
		return 1
	}
	return int64(d / time.Microsecond)
}
