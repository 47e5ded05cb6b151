// Package model is a Kafka in memory, of which a simulated world decides what
// happens next. It knows what a transactional reader and writer can notice: logs
// with a last stable offset and control records, a transaction coordinator with
// epochs, fencing and timeouts, markers that reach each partition and the offsets
// at times of their own, groups with generations, eager rebalances, sessions,
// static members and pending offsets, and clients that fail in each way that
// internal/kafka's do.
//
// It may be trusted for this: what it lets pass, and in which order, a broker of
// Kafka 3.6 or later with transactions of version 1 can do (librdkafka speaks no
// later one), so also a request of an ended transaction that comes late and hits
// the next one of the same epoch. It follows docs/design.md and the protocol, not
// the code of a broker; that the real one does the same is shown by the tests
// against a real one. Not modelled: several brokers, loss of a log's end,
// retention, cooperative rebalances.
package model
