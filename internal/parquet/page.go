package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds of one page. A page of more is refused: it would be allocated at once.
const (
	maxPageRows  = 1 << 24
	maxPageBytes = 1 << 28
)

// page is one decoded page, one entry per row in whichever of its forms holds:
// ints for the integer kinds, codes for text behind a dictionary, spans else.
type page struct {
	rows  int
	valid []byte // 1 for a value, 0 for a null, per row; empty when all are values
	ints  []int64
	coded bool
	codes []int32
	spans []span // into text
	text  []byte

	body   []byte // decompressed
	narrow []int32
	joined []byte
	ends   []uint32
}

type span struct{ start, end uint32 }

func (p *page) reset() { p.rows, p.valid, p.coded = 0, p.valid[:0], false }

// load decodes the next data page, and a dictionary before it.
func (c *ColumnReader) load() (err error) {
	defer recovered("decode", &err)
	for {
		if len(c.rest) == 0 {
			return fmt.Errorf("%d rows are missing at the chunk's end", c.left)
		}
		body, err := c.readHeader()
		if err != nil {
			return err
		}
		h := &c.header
		if h.Type == format.DictionaryPage {
			if err := c.loadDictionary(body); err != nil {
				return fmt.Errorf("dictionary: %w", err)
			}
			continue
		}
		d, err := describe(h)
		if err != nil {
			return err
		}
		if d.rows > maxPageRows || int64(d.rows) > c.left {
			return fmt.Errorf("a page of %d rows, %d are left and %d the limit", d.rows, c.left, maxPageRows)
		}
		c.left -= int64(d.rows)
		c.next = 0
		c.page.reset()
		if int64(d.rows) <= c.skip {
			c.skip -= int64(d.rows)
			if c.left == 0 {
				return nil
			}
			continue
		}
		if err := c.decode(d, body); err != nil {
			return err
		}
		c.page.rows = d.rows
		return nil
	}
}

// readHeader takes the next page off the chunk and returns its stored bytes.
func (c *ColumnReader) readHeader() ([]byte, error) {
	if c.decoder == nil {
		c.source = (&thrift.CompactProtocol{}).NewReaderFromBytes(nil)
		c.decoder = thrift.NewDecoder(c.source)
	}
	c.source.ResetBytes(c.rest)
	c.header = format.PageHeader{}
	if err := c.decoder.Decode(&c.header); err != nil {
		return nil, fmt.Errorf("page header: %w", err)
	}
	h := &c.header
	body := c.rest[c.source.BytesRead():]
	if h.CompressedPageSize < 0 || int(h.CompressedPageSize) > len(body) {
		return nil, fmt.Errorf("a page of %d bytes, %d are left of the chunk", h.CompressedPageSize, len(body))
	}
	if h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPageBytes {
		return nil, fmt.Errorf("a page of %d bytes uncompressed, at most %d are read", h.UncompressedPageSize, maxPageBytes)
	}
	body, c.rest = body[:h.CompressedPageSize:len(body)], body[h.CompressedPageSize:]
	if sum := crc32.ChecksumIEEE(body); h.CRC != 0 && uint32(h.CRC) != sum {
		return nil, fmt.Errorf("checksum of a page: %08x in its header, %08x of its bytes", uint32(h.CRC), sum)
	}
	return body, nil
}

// dataPage is what both versions of a data page's header say.
type dataPage struct {
	rows       int
	encoding   format.Encoding
	levels     int  // bytes of levels before the values; -1: told by the first 4 of them (version 1)
	compressed bool // the values (version 2), or levels and values together (version 1)
}

func describe(h *format.PageHeader) (dataPage, error) {
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		v := &h.DataPageHeader.V
		if v.NumValues < 0 || v.DefinitionLevelEncoding != format.RLE {
			return dataPage{}, fmt.Errorf("a page with %d values and levels in %s", v.NumValues, v.DefinitionLevelEncoding)
		}
		return dataPage{rows: int(v.NumValues), encoding: v.Encoding, levels: -1, compressed: true}, nil
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v := &h.DataPageHeaderV2.V
		if v.NumValues < 0 || v.NumRows != v.NumValues || v.RepetitionLevelsByteLength != 0 ||
			v.DefinitionLevelsByteLength < 0 || v.DefinitionLevelsByteLength > min(h.CompressedPageSize, h.UncompressedPageSize) {
			return dataPage{}, fmt.Errorf("a page with %d values in %d rows, %d and %d bytes of levels",
				v.NumValues, v.NumRows, v.RepetitionLevelsByteLength, v.DefinitionLevelsByteLength)
		}
		d := dataPage{rows: int(v.NumValues), encoding: v.Encoding, levels: int(v.DefinitionLevelsByteLength), compressed: true}
		if v.IsCompressed.Valid {
			d.compressed = v.IsCompressed.V
		}
		return d, nil
	}
	return dataPage{}, fmt.Errorf("a page of type %s", h.Type)
}

// decode reads a data page into c.page.
func (c *ColumnReader) decode(d dataPage, body []byte) (err error) {
	codec := c.codec
	if !d.compressed {
		codec = plain
	}
	p := &c.page
	var levels []byte
	if d.levels >= 0 {
		levels, body = body[:d.levels], body[d.levels:]
	}
	values, err := codec.decompress(&p.body, body, int(c.header.UncompressedPageSize)-len(levels))
	if err != nil {
		return err
	}
	if d.levels < 0 && c.leaf.Optional {
		if len(values) < 4 || int64(binary.LittleEndian.Uint32(values)) > int64(len(values)-4) {
			return errors.New("levels end behind their page")
		}
		n := 4 + int(binary.LittleEndian.Uint32(values))
		levels, values = values[4:n], values[n:]
	}
	n := d.rows
	if c.leaf.Optional {
		if n, err = p.decodeLevels(levels, d.rows); err != nil {
			return err
		}
	}
	if c.leaf.Kind.integer() {
		err = c.decodeInts(d.encoding, values, n)
	} else {
		err = c.decodeText(d.encoding, values, n)
	}
	if err != nil {
		return fmt.Errorf("%d values in %s: %w", n, d.encoding, err)
	}
	if len(p.valid) > 0 {
		p.spread(n, c.leaf.Kind.integer())
	}
	return nil
}

// decodeInts reads n values into p.ints.
func (c *ColumnReader) decodeInts(e format.Encoding, src []byte, n int) (err error) {
	p := &c.page
	p.ints = grow(p.ints, n)
	narrow := c.leaf.physical == format.Int32
	switch e {
	case format.PlainDictionary, format.RLEDictionary:
		if err := p.decodeCodes(src, n, len(c.dict.ints)); err != nil {
			return err
		}
		for i, code := range p.codes {
			p.ints[i] = c.dict.ints[code]
		}
		return nil
	case format.Plain:
		if p.ints, p.narrow, err = decodePlain(p.ints, p.narrow, src, n, narrow); err != nil {
			return err
		}
	case format.DeltaBinaryPacked:
		if p.joined, err = decodeDelta(p.ints, src, p.joined); err != nil {
			return err
		}
		if narrow {
			for i, v := range p.ints {
				p.ints[i] = int64(int32(v))
			}
		}
	default:
		return errors.New("this encoding is not read here")
	}
	if l := &c.leaf; l.mul != 1 || l.div != 1 {
		for i, v := range p.ints {
			p.ints[i] = l.scale(v)
		}
	}
	return nil
}

// decodePlain decodes n integers of 64 bits, or of 32 by way of small.
func decodePlain(dst []int64, small []int32, src []byte, n int, narrow bool) ([]int64, []int32, error) {
	size := 8
	if narrow {
		size = 4
	}
	if len(src) < n*size {
		return dst, small, fmt.Errorf("%d bytes are too few", len(src))
	}
	src = src[:n*size]
	var err error
	if !narrow {
		dst, err = pq.Plain.DecodeInt64(dst[:0], src)
	} else {
		small, err = pq.Plain.DecodeInt32(small[:0], src)
		dst = grow(dst, len(small))
		for i, v := range small {
			dst[i] = int64(v)
		}
	}
	if err == nil && len(dst) != n {
		err = fmt.Errorf("%d values came", len(dst))
	}
	return dst, small, err
}

// decodeText reads n values into p.codes or p.spans.
func (c *ColumnReader) decodeText(e format.Encoding, src []byte, n int) (err error) {
	p := &c.page
	switch e {
	case format.PlainDictionary, format.RLEDictionary:
		p.coded = true
		return p.decodeCodes(src, n, c.dict.Len())
	case format.Plain:
		p.text = src
		p.spans, err = plainSpans(p.spans[:0], src, n)
		return err
	case format.DeltaLengthByteArray:
		if err := checkDelta(src, n); err != nil {
			return err
		}
		if p.joined, p.ends, err = pq.DeltaLengthByteArray.DecodeByteArray(p.joined[:0], src, p.ends[:0]); err != nil {
			return err
		}
		if len(p.ends) != n+1 {
			return fmt.Errorf("%d values came", len(p.ends)-1)
		}
		p.text, p.spans = p.joined, grow(p.spans, n)
		for i := range p.spans {
			p.spans[i] = span{p.ends[i], p.ends[i+1]}
		}
		return nil
	}
	return errors.New("this encoding is not read here")
}

// plainSpans finds n values, each behind its length in 4 bytes.
func plainSpans(dst []span, src []byte, n int) ([]span, error) {
	at := 0
	for range n {
		if len(src)-at < 4 {
			return dst, fmt.Errorf("%d bytes are too few", len(src))
		}
		size := int64(binary.LittleEndian.Uint32(src[at:]))
		at += 4
		if size > int64(len(src)-at) {
			return dst, fmt.Errorf("a value of %d bytes, %d are left", size, len(src)-at)
		}
		dst = append(dst, span{uint32(at), uint32(at + int(size))})
		at += int(size)
	}
	return dst, nil
}

// decodeCodes reads n codes into p.codes and holds them against the dictionary.
func (p *page) decodeCodes(src []byte, n, dictionary int) (err error) {
	if n == 0 {
		p.codes = p.codes[:0]
		return nil
	}
	if src, err = checkRuns(src, n); err != nil {
		return err
	}
	p.codes = grow(p.codes, n)
	if p.codes, err = pq.RLEDictionary.DecodeInt32(p.codes[:0], src); err != nil {
		return err
	}
	if len(p.codes) < n {
		return fmt.Errorf("%d values came", len(p.codes))
	}
	p.codes = p.codes[:n]
	most := uint32(0) // as unsigned, so that a negative code is a large one
	for _, code := range p.codes {
		most = max(most, uint32(code))
	}
	if int64(most) >= int64(dictionary) {
		return fmt.Errorf("code %d into a dictionary of %d", most, dictionary)
	}
	return nil
}

// spread moves the n values of a page with nulls to their rows.
func (p *page) spread(n int, integer bool) {
	rows := len(p.valid)
	switch {
	case integer:
		p.ints = spread(p.ints, p.valid, n, rows, 0)
	case p.coded:
		p.codes = spread(p.codes, p.valid, n, rows, -1)
	default:
		p.spans = spread(p.spans, p.valid, n, rows, span{})
	}
}

func spread[T any](dense []T, valid []byte, n, rows int, null T) []T {
	dense = growKeep(dense, rows)
	for i := rows - 1; i >= 0; i-- { // from the end, so that no value is overwritten before it moved
		if valid[i] == 0 {
			dense[i] = null
			continue
		}
		n--
		dense[i] = dense[n]
	}
	return dense
}

// validFrom is the validity of n rows; empty when no row of the page is null.
func (p *page) validFrom(row, n int) []byte {
	if len(p.valid) == 0 {
		return nil
	}
	return p.valid[row : row+n]
}

func (p *page) fillValid(dst []bool, from int) {
	if len(p.valid) == 0 {
		for i := range dst {
			dst[i] = true
		}
		return
	}
	for i := range dst {
		dst[i] = p.valid[from+i] != 0
	}
}

// values fills dst with views of the rows from a row on.
func (p *page) values(dst [][]byte, from int, dict *Dictionary) {
	for i := range dst {
		switch {
		case len(p.valid) > 0 && p.valid[from+i] == 0:
			dst[i] = nil
		case p.coded:
			dst[i] = dict.Value(p.codes[from+i])
		default:
			s := p.spans[from+i]
			dst[i] = p.text[s.start:s.end:s.end]
		}
	}
}
