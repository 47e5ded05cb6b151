package lake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"parallax.example/internal/failpoint"
)

// Chain is what a lake holds of one partition, ascending and without a gap.
type Chain struct {
	Topic     string
	Partition int32
	Manifests []*Manifest // empty before the first commit
}

// Next returns the offset after the last one that the chain covers; ok is
// false while the chain is empty.
func (c *Chain) Next() (offset int64, ok bool) {
	if len(c.Manifests) == 0 {
		return 0, false
	}
	return c.Manifests[len(c.Manifests)-1].End, true
}

// Below returns the manifests that hold offsets below the cut. The last one may
// go beyond it: its reader leaves out the rows from the cut on.
func (c *Chain) Below(cut int64) []*Manifest {
	i, _ := slices.BinarySearchFunc(c.Manifests, cut, func(m *Manifest, cut int64) int {
		if m.Start < cut {
			return -1
		}
		return 1
	})
	return c.Manifests[:i]
}

// Topics lists the topics that have chains, sorted.
func (d *Dir) Topics() ([]string, error) {
	list, err := d.entries(manifestsFolder)
	if err != nil {
		return nil, err
	}
	var topics []string
	for _, e := range list {
		if e.IsDir() && checkTopic(e.Name()) == nil {
			topics = append(topics, e.Name())
		}
	}
	return topics, nil
}

// Chains reads the chains of all partitions of a topic, by partition. One that
// was never committed to has an empty chain. A topic without any manifest has
// no chains. All must agree on the topic's id and partition count.
func (d *Dir) Chains(topic string) ([]*Chain, error) {
	if err := checkTopic(topic); err != nil {
		return nil, fmt.Errorf("cannot read chains: %w", err)
	}
	list, err := d.entries(path.Join(manifestsFolder, topic))
	if err != nil {
		return nil, err
	}
	found := map[int32]*Chain{}
	var one *Manifest
	for _, e := range list {
		n, err := strconv.ParseUint(e.Name(), 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != e.Name() {
			continue
		}
		c, err := d.Chain(topic, int32(n))
		if err != nil {
			return nil, err
		}
		if len(c.Manifests) == 0 {
			continue
		}
		found[int32(n)] = c
		m := c.Manifests[0]
		if one == nil {
			one = m
		}
		if m.TopicID != one.TopicID || m.Partitions != one.Partitions {
			return nil, fmt.Errorf("cannot read chains of topic %q: %s is of topic id %s with %d partitions, %s of %s with %d; they must not be mixed in one lake",
				topic, m.place(), m.TopicID, m.Partitions, one.place(), one.TopicID, one.Partitions)
		}
	}
	if one == nil {
		return nil, nil
	}
	chains := make([]*Chain, one.Partitions)
	for p := range chains {
		chains[p] = found[int32(p)]
		if chains[p] == nil {
			chains[p] = &Chain{Topic: topic, Partition: int32(p)}
		}
	}
	return chains, nil
}

// Chain reads and checks the chain of one partition.
//
// It follows the chain by name, each manifest naming the next. A listing alone
// would not do: while another process commits, it may show a manifest and not
// yet the one before.
func (d *Dir) Chain(topic string, partition int32) (*Chain, error) {
	if err := checkTopic(topic); err != nil {
		return nil, fmt.Errorf("cannot read chain: %w", err)
	}
	c := &Chain{Topic: topic, Partition: partition}
	starts, err := d.starts(topic, partition)
	if err != nil || len(starts) == 0 {
		return c, err
	}
	m, err := d.manifest(topic, partition, starts[0])
	if err != nil {
		return nil, err
	}
	seen := make(map[int64]bool, len(starts))
	first, next := m, m.First
	for {
		m, err := d.manifest(topic, partition, next)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		if m.First != first.First || m.TopicID != first.TopicID || m.Partitions != first.Partitions {
			return nil, fmt.Errorf("cannot read chain: %s (topic id %s, %d partitions, chain from %d) and %s (topic id %s, %d partitions, chain from %d) do not belong together",
				m.place(), m.TopicID, m.Partitions, m.First, first.place(), first.TopicID, first.Partitions, first.First)
		}
		c.Manifests = append(c.Manifests, m)
		seen[next], next = true, m.End
	}
	for _, s := range starts {
		switch {
		case seen[s]:
		case s < next && failpoint.Mutant("lake/overlap"):
		case s < next:
			return nil, fmt.Errorf("cannot read chain: %s overlaps what the manifests up to offset %d cover", manifestPath(topic, partition, s), next)
		default:
			return nil, fmt.Errorf("cannot read chain: %s is missing, but %s exists; restore the missing file, or begin a new lake", manifestPath(topic, partition, next), manifestPath(topic, partition, s))
		}
	}
	return c, nil
}

// starts lists the starts of a partition's manifests, ascending.
func (d *Dir) starts(topic string, partition int32) ([]int64, error) {
	folder := chainFolder(topic, partition)
	list, err := d.entries(folder)
	if err != nil {
		return nil, err
	}
	var starts []int64
	for _, e := range list {
		name := e.Name()
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		start, err := strconv.ParseInt(strings.TrimSuffix(name, ".json"), 10, 64)
		if err != nil || !startForm.MatchString(name) {
			return nil, fmt.Errorf("cannot read chain: %s is not a manifest's name (20 digits and .json); move the file away", path.Join(folder, name))
		}
		starts = append(starts, start)
	}
	return starts, nil // 20 digits each, so sorted by name is sorted by number
}

// manifest reads one manifest and checks that it stands where it belongs.
func (d *Dir) manifest(topic string, partition int32, start int64) (*Manifest, error) {
	p := manifestPath(topic, partition, start)
	f, err := d.root.Open(p)
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest %s: %w", p, err)
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("cannot read manifest %s: it is larger than %d bytes", p, maxManifest)
	}
	m, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest %s: %w", p, err)
	}
	if m.place() != p {
		return nil, fmt.Errorf("cannot read manifest %s: it says that it is %s", p, m.place())
	}
	return m, nil
}

// place is where the manifest belongs.
func (m *Manifest) place() string { return manifestPath(m.Topic, m.Partition, m.Start) }
