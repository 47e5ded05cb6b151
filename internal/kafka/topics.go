package kafka

import "strconv"

// Topics are the names of the topics of one installation.
type Topics struct {
	Events, Results, Excluded, DeadLetters, Changelog, Markers string
}

// NewTopics returns the names under a prefix: "parallax" gives "parallax.events".
func NewTopics(prefix string) Topics {
	return Topics{
		Events:      prefix + ".events",
		Results:     prefix + ".results",
		Excluded:    prefix + ".excluded",
		DeadLetters: prefix + ".dead-letters",
		Changelog:   prefix + ".processor.changelog",
		Markers:     prefix + ".markers",
	}
}

// TopicSpec is a topic as it should exist.
type TopicSpec struct {
	Name        string
	Partitions  int
	Replication int
	Config      map[string]string // topic settings; nil leaves the broker's defaults
}

// Specs returns all topics with the given partition count and replication. The
// changelog has the partitions of the events, because the state of an input
// partition lives in the changelog partition of the same number.
func (t Topics) Specs(partitions, replication int) []TopicSpec {
	config := func(cleanup string) map[string]string {
		c := map[string]string{"cleanup.policy": cleanup}
		if replication >= 3 {
			// An acknowledged record survives the loss of any one broker.
			c["min.insync.replicas"] = strconv.Itoa(replication - 1)
		}
		return c
	}
	spec := func(name, cleanup string, partitions int) TopicSpec {
		return TopicSpec{Name: name, Partitions: partitions, Replication: replication, Config: config(cleanup)}
	}
	return []TopicSpec{
		spec(t.Events, "delete", partitions),
		spec(t.Results, "compact", partitions),
		spec(t.Excluded, "delete", partitions),
		spec(t.DeadLetters, "delete", partitions),
		spec(t.Changelog, "compact", partitions),
		spec(t.Markers, "delete", 1),
	}
}
