package torture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"parallax.example/cmd/parallax/child"
	"parallax.example/internal/kafka"
)

// cluster is the Kafka that is shared by all runs.
type cluster struct {
	what    string // for people
	brokers string
	number  atomic.Int64 // of the last run's topics

	proc    *child.Process // nil if it is somebody else's
	restart func() (*child.Process, error)
	log     *os.File
}

// openCluster starts or finds Kafka; its files lie in dir.
func openCluster(ctx context.Context, c *Config, dir string) (*cluster, error) {
	k := &cluster{}
	var err error
	switch {
	case c.Brokers != "":
		k.what, k.brokers = "Kafka at "+c.Brokers, c.Brokers
	case c.KafkaHome != "":
		err = k.apache(ctx, c.KafkaHome, dir)
	default:
		err = k.embedded(ctx, dir)
	}
	if err == nil {
		err = k.answers(ctx)
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// close ends what was started; it may be called again. Nobody needs an orderly end of it.
func (k *cluster) close() {
	if k.proc != nil {
		k.proc.Kill()
		<-k.proc.Ended()
	}
	if k.log != nil {
		k.log.Close()
	}
}

func (k *cluster) open(path string) (err error) {
	if k.log, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return fmt.Errorf("cannot start Kafka: %w", err)
	}
	return nil
}

// embedded runs the embedded broker as a process of its own, which nobody kills.
func (k *cluster) embedded(ctx context.Context, dir string) (err error) {
	k.what = "the embedded broker"
	if err := k.open(filepath.Join(dir, "broker.log")); err != nil {
		return err
	}
	file := filepath.Join(dir, "broker.addr")
	k.proc, err = child.Start(child.Command{Name: "broker", Args: []string{"broker", "--addr", "127.0.0.1:0", "--addr-file", file}, Stdout: k.log, Stderr: k.log})
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(startFor); k.brokers == ""; {
		if b, err := os.ReadFile(file); err == nil {
			k.brokers = strings.TrimSpace(string(b))
			break
		}
		if err := k.wait(ctx, deadline); err != nil {
			return err
		}
	}
	return nil
}

func (k *cluster) wait(ctx context.Context, deadline time.Time) error {
	select {
	case <-k.proc.Ended():
		return fmt.Errorf("cannot start Kafka: it ended at once; see %s", k.log.Name())
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Millisecond):
	}
	if time.Now().After(deadline) {
		return fmt.Errorf("cannot start Kafka: it does not answer within %v; see %s", startFor, k.log.Name())
	}
	return nil
}

// A node that is broker and controller, with short times for dead members and
// dead transactions. Nothing is too old for it.
const properties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
log.retention.ms=-1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
`

// apache runs Apache Kafka from a folder of its jars.
func (k *cluster) apache(ctx context.Context, home, dir string) (err error) {
	k.what = "Apache Kafka of " + home
	jars := home
	if found, err := filepath.Glob(filepath.Join(home, "libs", "kafka_*.jar")); err == nil && len(found) > 0 {
		jars = filepath.Join(home, "libs")
	}
	if found, err := filepath.Glob(filepath.Join(jars, "kafka_*.jar")); err != nil || len(found) == 0 {
		return fmt.Errorf("cannot start Kafka: %q holds no kafka_*.jar, and no folder libs with one", home)
	}
	port, controller, err := freePorts(ctx)
	if err != nil {
		return err
	}
	if err := k.open(filepath.Join(dir, "kafka.log")); err != nil {
		return err
	}
	file := filepath.Join(dir, "server.properties")
	data, err := filepath.Abs(filepath.Join(dir, "kafka"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, properties, port, controller, data), 0o644); err != nil {
		return fmt.Errorf("cannot start Kafka: %w", err)
	}
	java := func(heap, class string, args ...string) (*child.Process, error) {
		args = append([]string{"-Xms" + heap, "-Xmx" + heap, "-cp", filepath.Join(jars, "*"), class}, args...)
		return child.Start(child.Command{Name: "Kafka", Path: "java", Args: args, Stdout: k.log, Stderr: k.log})
	}
	format, err := java("256m", "kafka.tools.StorageTool", "format", "--cluster-id", "cGFyYWxsYXgtdG9ydHVyZQ", "--config", file)
	if err != nil {
		return fmt.Errorf("%w; install a Java runtime of version 17 or later", err)
	}
	<-format.Ended()
	if format.Err() != nil {
		return fmt.Errorf("cannot format Kafka's storage: %w; see %s", format.Err(), k.log.Name())
	}
	k.restart = func() (*child.Process, error) { return java("768m", "kafka.Kafka", file) }
	k.brokers = fmt.Sprintf("127.0.0.1:%d", port)
	k.proc, err = k.restart()
	return err
}

// freePorts finds two ports that nobody uses now.
func freePorts(ctx context.Context) (a, b int, err error) {
	var ports [2]int
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return 0, 0, fmt.Errorf("cannot find a free port: %w", err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1], nil
}

// answers waits until Kafka answers, and until producers of transactions are
// served, which takes a fresh broker some seconds more.
func (k *cluster) answers(ctx context.Context) error {
	admin, err := kafka.NewAdmin(kafka.Config{Brokers: k.brokers, ClientID: "torture"})
	if err != nil {
		return err
	}
	defer admin.Close()
	deadline := time.Now().Add(startFor)
	for {
		err := admin.Ping(ctx)
		if err == nil {
			break
		}
		if k.proc == nil {
			return err
		}
		if err := k.wait(ctx, deadline); err != nil {
			return err
		}
	}
	soon, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	producer, err := kafka.NewTxn(kafka.Config{Brokers: k.brokers, ClientID: "torture"}, kafka.TxnConfig{ID: "torture", Timeout: startFor})
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.Init(soon)
}

// again starts a broker that was ended, and waits until it answers.
func (k *cluster) again(ctx context.Context) error {
	if k.restart == nil {
		return errors.New("BUG: a broker that is not ours to break")
	}
	var err error
	if k.proc, err = k.restart(); err != nil {
		return err
	}
	return k.answers(ctx)
}
