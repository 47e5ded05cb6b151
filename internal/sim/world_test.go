package sim_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parallax.example/internal/sim"
)

// ticker appends its name to list, n times, as one call each.
func ticker(list *[]string, n int) func(*sim.Process) error {
	return func(p *sim.Process) error {
		for range n {
			if err := p.Do(sim.Call{Name: "tick", Try: func() (bool, error) { *list = append(*list, p.Name); return true, nil }}); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestSeedDecidesTheOrder(t *testing.T) {
	orders, logs := map[string]bool{}, map[string]bool{}
	for seed := range uint64(20) {
		for range 2 {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				w := sim.New(seed, sim.NewCoverage(), &log)
				var list []string
				over := 0
				for _, name := range []string{"a", "b", "c"} {
					w.Start(name, ticker(&list, 4), func(error) { over++ })
				}
				if err := w.Run("end", func() bool { return over == 3 }, time.Hour, 1000); err != nil {
					t.Fatal(err)
				}
				orders[fmt.Sprint(seed, list)], logs[fmt.Sprint(seed, log.String(), w.Trace.Hash())] = true, true
			})
		}
	}
	if len(orders) != 20 || len(logs) != 20 {
		t.Errorf("20 seeds, twice each, made %d orders and %d logs", len(orders), len(logs))
	}
	distinct := map[string]bool{}
	for o := range orders {
		distinct[o[strings.Index(o, "["):]] = true
	}
	if len(distinct) < 15 {
		t.Errorf("20 seeds made only %d different orders", len(distinct))
	}
}

// A dead process has no effect, and its program ends.
func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(1, sim.NewCoverage(), nil)
		w.Chaos = false
		var list []string
		var end error
		p := w.Start("a", ticker(&list, 100), func(err error) { end = err })
		must(t, w.Run("some ticks", func() bool { return len(list) == 10 }, time.Hour, 1000))
		p.Kill()
		must(t, w.Run("end", func() bool { return p.Over() }, time.Hour, 1000))
		if !errors.Is(end, sim.ErrDead) || len(list) != 10 {
			t.Errorf("ended with %v after %d ticks", end, len(list))
		}
	})
}

// While a process is frozen only the others go on.
func TestFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(1, sim.NewCoverage(), nil)
		w.Chaos = false
		var list []string
		over := 0
		a := w.Start("a", func(p *sim.Process) error {
			return p.Do(sim.Call{Name: "tick", Local: true, Try: func() (bool, error) { list = append(list, "a"); return true, nil }})
		}, func(error) { over++ })
		a.Freeze(time.Minute)
		began := time.Now()
		w.Start("b", ticker(&list, 5), func(error) { over++ })
		must(t, w.Run("end", func() bool { return over == 2 }, time.Hour, 1000))
		if !slices.Equal(list, []string{"b", "b", "b", "b", "b", "a"}) || time.Since(began) < time.Minute {
			t.Errorf("%v after %s", list, time.Since(began))
		}
	})
}

func TestNoProgressIsAViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(1, sim.NewCoverage(), nil)
		w.Start("a", func(p *sim.Process) error {
			return p.Do(sim.Call{Name: "wait", Ready: func() bool { return false }, Try: func() (bool, error) { return true, nil }})
		}, func(error) {})
		err := w.Run("end", func() bool { return false }, time.Hour, 1000)
		if err == nil || !strings.Contains(err.Error(), "waiting are a/wait") {
			t.Errorf("%v", err)
		}
		w.End()
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
