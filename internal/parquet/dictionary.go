package parquet

import (
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// Dictionary holds the distinct values behind the codes of one column chunk.
type Dictionary struct {
	text  []byte
	spans []span
	ints  []int64 // instead of text, for integer columns

	codes map[string]int32 // only when plain pages are interned
	body  []byte           // of the page, decompressed
	small []int32
	ready bool // the chunk's dictionary page was read
}

func (d *Dictionary) reset() {
	d.text, d.spans, d.ints, d.ready = d.text[:0], d.spans[:0], d.ints[:0], false
	d.codes = nil
}

// Len is the number of values so far.
func (d *Dictionary) Len() int { return len(d.spans) }

// Value is the value of a code; it must not be changed and is valid until the
// column reader's next Open.
func (d *Dictionary) Value(code int32) []byte {
	s := d.spans[code]
	return d.text[s.start:s.end:s.end]
}

// loadDictionary reads a dictionary page, which is always plain.
func (c *ColumnReader) loadDictionary(body []byte) (err error) {
	h := &c.header
	d := &c.dict
	if !h.DictionaryPageHeader.Valid || d.ready {
		return fmt.Errorf("a second one, or one without its header")
	}
	n := int(h.DictionaryPageHeader.V.NumValues)
	if e := h.DictionaryPageHeader.V.Encoding; e != format.Plain && e != format.PlainDictionary {
		return fmt.Errorf("in encoding %s", e)
	}
	if n < 0 || n > int(h.UncompressedPageSize) { // every value takes 4 bytes at least
		return fmt.Errorf("%d values in %d bytes", n, h.UncompressedPageSize)
	}
	values, err := c.codec.decompress(&d.body, body, int(h.UncompressedPageSize))
	if err != nil {
		return err
	}
	d.ready = true
	if !c.leaf.Kind.integer() {
		d.text = append(d.text, values...)
		d.spans, err = plainSpans(d.spans, d.text, n)
		return err
	}
	d.ints, d.small, err = decodePlain(d.ints, d.small, values, n, c.leaf.physical == format.Int32)
	for i, v := range d.ints {
		d.ints[i] = c.leaf.scale(v)
	}
	return err
}

// intern gives the values of a page without dictionary codes of their own
// behind those of the chunk's dictionary.
func (p *page) intern(d *Dictionary) {
	if d.codes == nil {
		d.codes = make(map[string]int32, d.Len())
		for i := range int32(d.Len()) {
			d.codes[string(d.Value(i))] = i
		}
	}
	p.codes = grow(p.codes, len(p.spans))
	for i, s := range p.spans {
		if len(p.valid) > 0 && p.valid[i] == 0 {
			p.codes[i] = -1
			continue
		}
		value := p.text[s.start:s.end]
		code, known := d.codes[string(value)]
		if !known {
			code = int32(d.Len())
			start := uint32(len(d.text))
			d.text = append(d.text, value...)
			d.spans = append(d.spans, span{start, uint32(len(d.text))})
			d.codes[string(value)] = code
		}
		p.codes[i] = code
	}
	p.coded = true
}
