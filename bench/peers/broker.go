package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"parallax.example/internal/kafka"
)

// A broker that is also its controller, with one node's replication. Its data
// outlives it, so that millions need not be sent anew each time: no record is
// too old.
const brokerProperties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
log.retention.ms=-1
log.segment.delete.delay.ms=1000
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.max.timeout.ms=3600000
`

// brokerStart is how long a broker may take until it answers, the recovery of
// what a killed one left included.
const brokerStart = 2 * time.Minute

// startBroker formats the storage once, starts Kafka and waits until it answers.
func (l *lab) startBroker(ctx context.Context, port int) (*process, error) {
	dir := filepath.Join(l.cache, "kafka")
	logs := filepath.Join(dir, "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	properties := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(properties, fmt.Appendf(nil, brokerProperties, port, port+1, logs), 0o644); err != nil {
		return nil, err
	}
	java := func(heap, class string, args ...string) []string {
		return append([]string{"java", "-Xms" + heap, "-Xmx" + heap, "-cp", l.jars("broker"), class}, args...)
	}
	if _, err := os.Stat(filepath.Join(logs, "meta.properties")); errors.Is(err, fs.ErrNotExist) {
		args := java("256m", "kafka.tools.StorageTool", "format", "--cluster-id", "cGFyYWxsYXgtYmVuY2gtMQ", "--config", properties)
		if err := command(ctx, dir, args[0], args[1:]...); err != nil {
			return nil, err
		}
	}
	l.progress("starting Apache Kafka %s on 127.0.0.1:%d", kafkaVersion, port)
	p, err := start(context.WithoutCancel(ctx), "broker", dir, filepath.Join(l.cache, "logs"), nil, java("1g", "kafka.Kafka", properties)...)
	if err != nil {
		return nil, err
	}
	if err := l.answers(ctx, p); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start Kafka: %w", err), p.stop(time.Minute))
	}
	return p, nil
}

// answers waits until the broker does.
func (l *lab) answers(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, brokerStart)
	defer cancel()
	admin, err := kafka.NewAdmin(l.kafka)
	if err != nil {
		return err
	}
	defer admin.Close()
	for {
		err := admin.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return errors.Join(p.failure(), errors.New("it ended at once; is the port taken?"))
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
