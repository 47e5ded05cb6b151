package main

import (
	"context"
	"fmt"

	"parallax.example/internal/kafka"
)

type topicsCommand struct {
	Brokers     string  `default:"127.0.0.1:9092" placeholder:"HOST:PORT,…" help:"Kafka brokers."`
	TopicPrefix string  `default:"parallax" placeholder:"NAME" help:"Prefix of the topics' names."`
	Partitions  int     `default:"4" help:"Partitions of the events topic, and of all that follow it."`
	Replication int     `default:"1" help:"Copies that the brokers keep of each partition."`
	Logging     logging `embed:""`
}

// Run makes what is missing, and changes nothing that is there.
func (c *topicsCommand) Run(ctx context.Context) error {
	log, done, err := c.Logging.open()
	if err != nil {
		return err
	}
	defer done()
	admin, err := kafka.NewAdmin(kafka.Config{Brokers: c.Brokers, ClientID: "parallax-topics", Log: log})
	if err != nil {
		return err
	}
	defer admin.Close()
	specs := kafka.NewTopics(c.TopicPrefix).Specs(c.Partitions, c.Replication)
	if err := admin.EnsureTopics(ctx, specs); err != nil {
		return err
	}
	for _, s := range specs {
		fmt.Printf("%s: %d partitions\n", s.Name, s.Partitions)
	}
	return nil
}
