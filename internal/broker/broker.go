package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Config says where the broker listens and what it keeps. The zero value
// listens on a free loopback port and keeps everything in memory.
type Config struct {
	Addr    string       // host:port on loopback; "" or port 0 takes a free port
	DataDir string       // keep the logs here; "" keeps them in memory
	Log     *slog.Logger // nil discards
}

// Broker is a running embedded broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
}

// Start opens the listener and serves until Close.
func Start(c Config) (*Broker, error) {
	addr := c.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	// Opened here, not by kfake: a busy port is found before anything else
	// starts, and every address of the loopback can be chosen.
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("cannot listen on %q: the port is in use; stop the program that has it or choose another address", addr)
		}
		return nil, fmt.Errorf("cannot listen on %q: %w", addr, err)
	}
	if c.DataDir != "" {
		if err := os.MkdirAll(c.DataDir, 0o755); err != nil {
			listener.Close()
			return nil, fmt.Errorf("cannot keep the broker's data in %q: %w", c.DataDir, err)
		}
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("parallax-embedded"),
		kfake.MaxVersions(versions()),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		// Permissive, so that tests may use short sessions and a debugger long ones.
		kfake.GroupMinSessionTimeout(100 * time.Millisecond),
		kfake.GroupMaxSessionTimeout(time.Hour),
		kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1"}),
	}
	if c.DataDir != "" {
		options = append(options, kfake.DataDir(c.DataDir))
	}
	if c.Log != nil {
		options = append(options, kfake.WithLogger(logger{c.Log}))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("cannot start the embedded broker: %w", err)
	}
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		unboundedInAll(r.(*kmsg.FetchRequest))
		return nil, nil, false // kfake answers
	})
	return &Broker{cluster: cluster, addr: listener.Addr().String()}, nil
}

// unboundedInAll lifts the bound of a fetch over all partitions together; the
// bound of each partition stays. Where kfake ends an answer for the former, it
// leaves out which transactions of the last partition were aborted, and a reader
// of committed records would be given theirs.
func unboundedInAll(r *kmsg.FetchRequest) { r.MaxBytes = math.MaxInt32 }

// Addr returns host:port, ready for a client's bootstrap list.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker; connected clients see the connection drop.
func (b *Broker) Close() { b.cluster.Close() }

// versions announces every request at its highest version, but two.
//
// Java clients from 4.0 on fail against kfake's CreateTopics above 4 and its
// DescribeTopicPartitions (75); without the latter they fall back to Metadata.
// A release of kversion is no substitute: it caps Produce below what the
// announced transaction.version promises, and Java transactions fail.
func versions() *kversion.Versions {
	v := kversion.Stable() // brings the features; the request versions follow
	for key := range int16(kmsg.MaxKey + 1) {
		v.SetMaxKeyVersion(key, 1<<14)
	}
	v.SetMaxKeyVersion(int16(kmsg.CreateTopics), 4)
	v.SetMaxKeyVersion(int16(kmsg.DescribeTopicPartitions), -1)
	return v
}

// logger passes kfake's lines on; its "errors" are clients hanging up.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	l.log.Debug("embedded broker", "message", fmt.Sprintf(format, args...))
}
