package lake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// Version of the manifest's form. A reader that meets another one stops.
const Version = 1

// ErrVersion is wrapped by the error for a manifest of another version.
var ErrVersion = errors.New("unknown version")

// MaxListed bounds the dead letters and punctuations of one manifest, each of
// which is listed. A writer ends its range before there are more.
const MaxListed = 1 << 16

// MaxDetail bounds a dead letter's detail, in bytes.
const MaxDetail = 256

const maxManifest = 256 << 20 // bytes; everything listed with the longest texts fits

// Manifest says what one offset range of one partition holds: every visible
// record of [Start, End) is a row of one of the files, a dead letter or a
// punctuation. Times are µs UTC if nothing else is said.
type Manifest struct {
	Version      int           `json:"version"`
	Topic        string        `json:"topic"`
	TopicID      string        `json:"topic_id"`
	Partitions   int32         `json:"partitions"` // how many the topic has
	Partition    int32         `json:"partition"`
	First        int64         `json:"first"` // where the partition's chain begins
	Start        int64         `json:"start"`
	End          int64         `json:"end"` // exclusive
	Counts       Counts        `json:"counts"`
	IDs          Digest        `json:"ids"`
	Files        []File        `json:"files"` // by hour, ascending
	DeadLetters  []DeadLetter  `json:"dead_letters"`
	Punctuations []Punctuation `json:"punctuations"`
	Writer       string        `json:"writer"`
	Created      time.Time     `json:"created"`
}

// Counts of the records in a range: Records = Events + DeadLetters + Punctuations.
type Counts struct {
	Records      int64 `json:"records"`
	Events       int64 `json:"events"` // rows of all files, duplicates and all
	DeadLetters  int64 `json:"dead_letters"`
	Punctuations int64 `json:"punctuations"`
}

// File is one data file: the range's events of one hour of event time.
type File struct {
	Path         string `json:"path"` // below the lake's folder, with slashes
	Size         int64  `json:"size"` // bytes
	SHA256       string `json:"sha256"`
	Rows         int64  `json:"rows"`
	MinOffset    int64  `json:"min_offset"`
	MaxOffset    int64  `json:"max_offset"`
	MinEventTime int64  `json:"min_event_time"`
	MaxEventTime int64  `json:"max_event_time"`
}

// DeadLetter is a record that is not a valid event, and why (event.Reason).
type DeadLetter struct {
	Offset int64  `json:"offset"`
	Reason string `json:"reason"`
	Detail string `json:"detail"` // at most MaxDetail bytes
	Size   int64  `json:"size"`   // of the message, bytes
}

// Punctuation is listed whoever sent it; the reader, who knows the accepted
// senders, decides whether it counts or is a dead letter.
type Punctuation struct {
	Offset    int64  `json:"offset"`
	Sender    string `json:"sender"`
	Watermark int64  `json:"watermark"`
}

// Encode returns the one form of m in bytes, or what is wrong with m.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("cannot encode manifest: %w", err)
	}
	return m.encode()
}

func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("cannot encode manifest: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads a manifest. It accepts exactly what Encode writes: an unknown or
// doubled field, another order or a contradiction is an error.
func Decode(b []byte) (*Manifest, error) {
	m, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("cannot decode manifest: %w", err)
	}
	return m, nil
}

func decode(b []byte) (*Manifest, error) {
	var v struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("not a JSON object of the manifest's form: %w", err)
	}
	if v.Version == nil {
		return nil, errors.New("it has no version, so it is not a manifest")
	}
	if *v.Version != Version {
		return nil, fmt.Errorf("%w %d, this program reads version %d", ErrVersion, *v.Version, Version)
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	if again, err := m.encode(); err != nil || !bytes.Equal(again, b) {
		return nil, errors.New("it is not in the form that is written: a field is missing, doubled, or was edited")
	}
	return &m, nil
}

// check reports the first contradiction.
func (m *Manifest) check() error {
	switch {
	case m.Version != Version:
		return fmt.Errorf("%w %d", ErrVersion, m.Version)
	case m.TopicID == "" || !utf8.ValidString(m.TopicID):
		return fmt.Errorf("topic_id %q is empty or not UTF-8", m.TopicID)
	case m.Partition < 0 || m.Partition >= m.Partitions:
		return fmt.Errorf("partition %d is not one of %d", m.Partition, m.Partitions)
	case m.First < 0 || m.Start < m.First || m.End <= m.Start:
		return fmt.Errorf("the range %d to %d of a chain from %d is empty or impossible", m.Start, m.End, m.First)
	case !utf8.ValidString(m.Writer):
		return fmt.Errorf("writer %q is not UTF-8", m.Writer)
	case m.Created.Location() != time.UTC || m.Created.Year() < 1 || m.Created.Year() > 9999:
		return fmt.Errorf("created %v is not a time in UTC", m.Created)
	case m.Files == nil || m.DeadLetters == nil || m.Punctuations == nil:
		return errors.New("a list is null; an empty one is []")
	case len(m.DeadLetters)+len(m.Punctuations) > MaxListed:
		return fmt.Errorf("%d dead letters and punctuations are more than %d", len(m.DeadLetters)+len(m.Punctuations), MaxListed)
	}
	if err := checkTopic(m.Topic); err != nil {
		return err
	}
	if err := m.checkFiles(); err != nil {
		return err
	}
	if err := m.checkListed(); err != nil {
		return err
	}
	c := m.Counts
	switch {
	case c.DeadLetters != int64(len(m.DeadLetters)) || c.Punctuations != int64(len(m.Punctuations)):
		return fmt.Errorf("counts say %d dead letters and %d punctuations, %d and %d are listed",
			c.DeadLetters, c.Punctuations, len(m.DeadLetters), len(m.Punctuations))
	case c.Records != c.Events+c.DeadLetters+c.Punctuations:
		return fmt.Errorf("counts: %d records are not %d events + %d dead letters + %d punctuations", c.Records, c.Events, c.DeadLetters, c.Punctuations)
	case c.Records > m.End-m.Start:
		return fmt.Errorf("counts: %d records do not fit between offsets %d and %d", c.Records, m.Start, m.End)
	case m.IDs.IDs < 0 || m.IDs.IDs > c.Events:
		return fmt.Errorf("%d ids of %d events are impossible", m.IDs.IDs, c.Events)
	}
	return nil
}

func (m *Manifest) checkFiles() error {
	var rows int64
	for i := range m.Files {
		f := &m.Files[i]
		hour := HourOf(f.MinEventTime)
		switch {
		case i > 0 && hour <= HourOf(m.Files[i-1].MinEventTime):
			return fmt.Errorf("file %q is not of a later hour than the one before it", f.Path)
		case !idForm.MatchString(idOf(f.Path)) || f.Path != dataPath(hour, m.Topic, m.Partition, m.Start, m.End, idOf(f.Path)):
			return fmt.Errorf("file %q does not lie where its range and its times put it", f.Path)
		case f.MinEventTime < 0 || f.MaxEventTime < f.MinEventTime || HourOf(f.MaxEventTime) != hour:
			return fmt.Errorf("file %q: the times %d to %d are not within one hour", f.Path, f.MinEventTime, f.MaxEventTime)
		case f.MinOffset < m.Start || f.MaxOffset >= m.End || f.Rows < 1 || f.Rows-1 > f.MaxOffset-f.MinOffset:
			return fmt.Errorf("file %q: %d rows with offsets %d to %d are impossible in the range %d to %d", f.Path, f.Rows, f.MinOffset, f.MaxOffset, m.Start, m.End)
		case f.Size < 1:
			return fmt.Errorf("file %q: size %d is impossible", f.Path, f.Size)
		case !isSHA256(f.SHA256):
			return fmt.Errorf("file %q: sha256 %q is not 64 hexadecimal digits", f.Path, f.SHA256)
		}
		if rows += f.Rows; rows < 0 || rows > m.End-m.Start {
			return fmt.Errorf("the files have more rows than the range %d to %d has offsets", m.Start, m.End)
		}
	}
	if rows != m.Counts.Events {
		return fmt.Errorf("counts say %d events, the files have %d rows", m.Counts.Events, rows)
	}
	return nil
}

func (m *Manifest) checkListed() error {
	last := m.Start - 1
	for _, d := range m.DeadLetters {
		switch {
		case d.Offset <= last || d.Offset >= m.End:
			return fmt.Errorf("the dead letter at offset %d is out of order or range", d.Offset)
		case d.Reason == "" || len(d.Detail) > MaxDetail || !utf8.ValidString(d.Reason) || !utf8.ValidString(d.Detail):
			return fmt.Errorf("the dead letter at offset %d has no reason or an impossible text", d.Offset)
		case d.Size < 0:
			return fmt.Errorf("the dead letter at offset %d has size %d", d.Offset, d.Size)
		}
		last = d.Offset
	}
	last = m.Start - 1
	for _, p := range m.Punctuations {
		switch {
		case p.Offset <= last || p.Offset >= m.End:
			return fmt.Errorf("the punctuation at offset %d is out of order or range", p.Offset)
		case p.Sender == "" || !utf8.ValidString(p.Sender):
			return fmt.Errorf("the punctuation at offset %d has sender %q", p.Offset, p.Sender)
		}
		last = p.Offset
	}
	return nil
}

func isSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
