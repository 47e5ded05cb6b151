package parquet

import (
	"fmt"
	"reflect"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Kind of a column's values.
type Kind uint8

// The kinds. Other stands for every type of a foreign file that this package
// does not read (floats, nested columns …); it cannot be written.
const (
	Other     Kind = iota
	Int32          // int64 in Go, stored in 32 bits
	Int64          //
	Timestamp      // int64 in Go: µs since 1970 UTC, whatever unit the file has (finer digits are floored)
	Uint64         // int64 in Go, holding the 64 bits
	String         // UTF-8, dictionary-encoded
	Bytes          // any bytes, dictionary only when a foreign file has one
)

func (k Kind) String() string {
	names := [...]string{"other", "int32", "int64", "timestamp", "uint64", "string", "bytes"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// integer reports whether values of the kind are int64 in Go.
func (k Kind) integer() bool { return k >= Int32 && k <= Uint64 }

// Column is one column of a flat table.
type Column struct {
	Name     string
	Kind     Kind
	Optional bool // may hold nulls
}

// Schema is a flat table's columns in their order.
type Schema []Column

// Index is the position of the column with this name, or -1.
func (s Schema) Index(name string) int {
	for i := range s {
		if s[i].Name == name {
			return i
		}
	}
	return -1
}

// node translates a column for writing: what is monotone or clustered (integers)
// as deltas, what repeats (strings) through a dictionary.
func (c Column) node() (pq.Node, error) {
	var n pq.Node
	switch c.Kind {
	case Int32:
		n = pq.Encoded(pq.Int(32), &pq.DeltaBinaryPacked)
	case Int64:
		n = pq.Encoded(pq.Int(64), &pq.DeltaBinaryPacked)
	case Timestamp:
		n = pq.Encoded(pq.Timestamp(pq.Microsecond), &pq.DeltaBinaryPacked)
	case Uint64:
		n = pq.Encoded(pq.Uint(64), &pq.DeltaBinaryPacked)
	case String:
		n = pq.Encoded(pq.String(), &pq.RLEDictionary)
	case Bytes:
		n = pq.Encoded(pq.Leaf(pq.ByteArrayType), &pq.Plain)
	default:
		return nil, fmt.Errorf("cannot write column %q: its kind is %s", c.Name, c.Kind)
	}
	if c.Optional {
		n = pq.Optional(n)
	}
	return n, nil
}

// group is parquet-go's Group with the columns in our order instead of by name.
type group struct {
	pq.Group
	fields []pq.Field
}

func (g group) Fields() []pq.Field { return g.fields }

type field struct {
	pq.Node
	name string
}

func (f *field) Name() string { return f.name }

func (f *field) Value(reflect.Value) reflect.Value {
	panic("BUG: tables are written by columns, never from Go structs")
}

func (s Schema) parquet() (*pq.Schema, error) {
	g := group{Group: pq.Group{}}
	for _, c := range s {
		n, err := c.node()
		if err != nil {
			return nil, err
		}
		if _, twice := g.Group[c.Name]; twice || c.Name == "" {
			return nil, fmt.Errorf("cannot write column %q: its name is empty or taken", c.Name)
		}
		g.Group[c.Name] = n
		g.fields = append(g.fields, &field{n, c.Name})
	}
	if len(g.fields) == 0 {
		return nil, fmt.Errorf("cannot write a table without columns")
	}
	return pq.NewSchema("table", g), nil
}

// leaf is what a file's own schema says of a column, beyond its Kind.
type leaf struct {
	Column
	physical format.Type
	// A timestamp's unit: its values are multiplied by mul, then divided by div.
	mul, div int64
}

func leafOf(c *pq.Column) leaf {
	l := leaf{Column: Column{Name: c.Name(), Optional: c.Optional()}, mul: 1, div: 1}
	if !c.Leaf() || c.Repeated() {
		return l
	}
	t := c.Type()
	l.physical = format.Type(t.Kind())
	logical := t.LogicalType()
	switch t.Kind() {
	case pq.Int32:
		if logical == nil {
			l.Kind = Int32
		} else if i, ok := logical.Value.(*format.IntType); ok && i.IsSigned {
			l.Kind = Int32
		}
	case pq.Int64:
		if logical == nil {
			l.Kind = Int64
			break
		}
		switch v := logical.Value.(type) {
		case nil:
			l.Kind = Int64
		case *format.IntType:
			l.Kind = Uint64
			if v.IsSigned {
				l.Kind = Int64
			}
		case *format.TimestampType:
			l.Kind = Timestamp
			switch v.Unit.Value.(type) {
			case *format.MilliSeconds:
				l.mul = 1000
			case *format.NanoSeconds:
				l.div = 1000
			}
		}
	case pq.ByteArray:
		l.Kind = Bytes
		if logical != nil {
			if _, ok := logical.Value.(*format.StringType); ok {
				l.Kind = String
			}
		}
	}
	return l
}

// scale turns a stored value into the kind's own unit.
func (l *leaf) scale(v int64) int64 {
	v *= l.mul
	q := v / l.div
	if v%l.div < 0 {
		q--
	}
	return q
}
