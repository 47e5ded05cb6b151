package torture

import (
	"context"
	"time"
)

// brokerRows break a broker that is not replicated: what it had acknowledged it
// must still have when it comes back, and everything waits for it until then.
var brokerRows = []row{
	{name: "broker-restart", group: "broker", what: "the broker ends in order and starts again", wants: 1, lake: true, broker: true, during: breakBroker(false, 0)},
	{name: "broker-freeze", group: "broker", what: "SIGSTOP of the broker for longer than sessions and transactions last", wants: 1, lake: true, broker: true, during: freezeBroker},
	// Kafka 4.3 itself may lose a transaction's marker there: docs/correctness.md.
	{name: "broker-kill", group: "hanging", long: true, what: "kill -9 of the broker, which starts again at once", wants: 1, lake: true, broker: true, during: breakBroker(true, 0)},
	{name: "broker-away", group: "hanging", long: true, what: "kill -9 of the broker, which stays away for longer than sessions and transactions last", wants: 1, lake: true, broker: true, during: breakBroker(true, 1.5)},
}

func breakBroker(kill bool, sessions float64) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if err := r.midway(ctx); err != nil {
			return err
		}
		k := r.cluster
		if kill {
			k.proc.Kill()
		} else {
			k.proc.Stop()
		}
		over := func() bool {
			select {
			case <-k.proc.Ended():
				return true
			default:
				return false
			}
		}
		if err := r.await(ctx, "the broker to end", r.patience, over); err != nil {
			return err
		}
		r.note(r.all()...)
		if err := r.pause(ctx, time.Duration(sessions*float64(r.session))); err != nil {
			return err
		}
		return k.again(ctx)
	}
}

func freezeBroker(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	r.note(r.all()...)
	r.cluster.proc.Freeze()
	err := r.pause(ctx, r.session*3/2)
	r.cluster.proc.Thaw()
	return err
}
