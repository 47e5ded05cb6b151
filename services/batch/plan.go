package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"parallax.example/internal/answer"
	"parallax.example/internal/lake"
	"parallax.example/internal/view"
	"parallax.example/services/batch/scan"
)

// partition is what the first pass knows of a partition.
type partition struct {
	answer.Partition // totals, but for the placements
	manifests        []*lake.Manifest
	identities
	*timeline
	splits [][]scan.Piece
}

// plan is the job before its second pass.
type plan struct {
	topic, topicID string
	views          *view.File // sorted by ID
	partitions     []*partition
	rows           int64
}

// prepare finds the manifests below the cut and counts what they list.
func prepare(dir *lake.Dir, topic string, views *view.File, cut map[int32]int64) (*plan, error) {
	if topic == "" {
		topics, err := dir.Topics()
		if err != nil {
			return nil, err
		}
		if len(topics) == 0 {
			return nil, fmt.Errorf("cannot answer from the lake %q: it holds no topic; run ingest first", dir.Folder())
		}
		if len(topics) > 1 {
			return nil, fmt.Errorf("cannot choose a topic: the lake %q has %d (%s); name one with --topic", dir.Folder(), len(topics), strings.Join(topics, ", "))
		}
		topic = topics[0]
	}
	chains, err := dir.Chains(topic)
	if err != nil {
		return nil, err
	}
	if len(chains) == 0 {
		return nil, fmt.Errorf("cannot find topic %q in the lake %q: there is no manifest of it; has the ingest run?", topic, dir.Folder())
	}
	for p := range cut {
		if int(p) >= len(chains) {
			return nil, fmt.Errorf("cannot cut partition %d: the topic has %d", p, len(chains))
		}
	}
	pl := &plan{topic: topic, views: sorted(views)}
	for _, chain := range chains {
		p := &partition{Partition: answer.Partition{Partition: chain.Partition}}
		end, any := chain.Next()
		if any {
			pl.topicID = chain.Manifests[0].TopicID
			p.Start, p.Cut = chain.Manifests[0].Start, end
		}
		if c, asked := cut[chain.Partition]; asked {
			if c < p.Start || c > p.Cut {
				return nil, fmt.Errorf("cannot cut partition %d at offset %d: the lake has %d to %d", p.Partition.Partition, c, p.Start, p.Cut)
			}
			p.Cut = c
		}
		p.manifests = chain.Below(p.Cut)
		pl.partitions = append(pl.partitions, p)
		for _, m := range p.manifests {
			pl.rows += m.Counts.Events
		}
	}
	return pl, nil
}

// sorted is the views in the order of all listings.
func sorted(f *view.File) *view.File {
	s := &view.File{Time: f.Time, Views: slices.Clone(f.Views)}
	slices.SortFunc(s.Views, func(a, b view.View) int { return strings.Compare(a.ID(), b.ID()) })
	return s
}

// fingerprint names input and question: who resumes a job must bring the same.
func (pl *plan) fingerprint() []byte {
	type part struct {
		Cut   int64
		Files []string // SHA-256
	}
	var input struct {
		Version    int
		Topic, ID  string
		Views      []string
		Partitions []part
	}
	input.Version, input.Topic, input.ID = answer.Version, pl.topic, pl.topicID
	for i := range pl.views.Views {
		input.Views = append(input.Views, pl.views.Views[i].ID())
	}
	for _, p := range pl.partitions {
		x := part{Cut: p.Cut}
		for _, m := range p.manifests {
			for i := range m.Files {
				x.Files = append(x.Files, m.Files[i].SHA256)
			}
		}
		input.Partitions = append(input.Partitions, x)
	}
	b, err := json.MarshalIndent(input, "", " ")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b
}

// verify holds every file that the plan reads against its manifest.
func (pl *plan) verify(ctx context.Context, dir *lake.Dir, workers int, done func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, p := range pl.partitions {
		for _, m := range p.manifests {
			g.Go(func() error {
				defer done()
				return dir.Verify(ctx, m)
			})
		}
	}
	return g.Wait()
}

// survey is the first pass: everything that needs the order of offsets.
func (pl *plan) survey(ctx context.Context, dir *lake.Dir, workers int, done func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, p := range pl.partitions {
		g.Go(func() error {
			defer done()
			if err := p.survey(ctx, dir, pl.views); err != nil {
				return fmt.Errorf("cannot read partition %d: %w", p.Partition.Partition, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (p *partition) survey(ctx context.Context, dir *lake.Dir, f *view.File) (err error) {
	if p.identities, err = identify(ctx, dir, p.manifests, p.Cut); err != nil {
		return err
	}
	// Not valid is what is repeated or stale; what is both is stale.
	excluded := slices.Concat(p.repeated, p.stale)
	slices.Sort(excluded)
	excluded = slices.Compact(excluded)

	var signals []lake.Punctuation
	for _, m := range p.manifests {
		for _, s := range m.Punctuations {
			switch {
			case s.Offset >= p.Cut:
			case f.Time.Accepts([]byte(s.Sender)):
				signals = append(signals, s)
			default:
				p.DeadLetters++
			}
		}
		for _, d := range m.DeadLetters {
			if d.Offset < p.Cut {
				p.DeadLetters++
			}
		}
	}
	if p.timeline, err = follow(ctx, dir, p.manifests, p.Cut, f, excluded, signals); err != nil {
		return err
	}
	if p.believed {
		p.Watermark = &p.watermark
	}
	p.Events = p.events
	p.Punctuations = int64(len(signals))
	p.Records = p.Events + p.DeadLetters + p.Punctuations
	p.Stale = int64(len(p.stale))
	p.Duplicates = int64(len(excluded) - len(p.stale))
	p.Valid = p.Events - int64(len(excluded))
	p.RepeatedIDs = int64(len(p.repeated))
	p.splits, err = scan.Splits(dir, p.manifests, p.Cut)
	return err
}
