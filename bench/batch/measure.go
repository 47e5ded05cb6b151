package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"parallax.example/services/batch/query"
)

// hour is the question's window, µs.
const hour = 3_600_000_000

// measureCommand is one run of Parallax, as engine.py is one of the others.
type measureCommand struct {
	Threads int      `arg:""`
	Files   []string `arg:""`
}

// Run is called by config.Main.
func (c *measureCommand) Run(ctx context.Context) error {
	debug.SetGCPercent(400)
	used, began := cpu(), time.Now()
	rows, err := query.Run(ctx, query.Config{Files: c.Files, Time: "event_time", Key: "key", Value: "value", Window: hour, Workers: c.Threads})
	if err != nil {
		return err
	}
	s := sample{Wall: time.Since(began).Seconds(), CPU: cpu() - used, Rows: int(rows.Rows)}
	if s.Peak, err = peak(); err != nil {
		return err
	}
	s.Digest = digest(rows)
	return json.NewEncoder(os.Stdout).Encode(s)
}

// cpu is the CPU time of the process so far, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: getrusage: " + err.Error())
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peak is the most memory that the process has had, in bytes.
func peak() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("cannot find the peak memory: %w", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if value, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("cannot find the peak memory: /proc/self/status does not tell it")
}

// digest is of the rows by hour and key, column by column.
func digest(rows *query.Rows) string {
	h := sha256.New()
	var b []byte
	column := func(value func(p *query.Part, i int) uint64) {
		for k := range rows.Parts {
			p := &rows.Parts[k]
			b = b[:0]
			for i := range p.Start {
				b = binary.LittleEndian.AppendUint64(b, value(p, i))
			}
			h.Write(b)
		}
	}
	column(func(p *query.Part, i int) uint64 { return uint64(p.Start[i] / hour) })
	column(func(p *query.Part, i int) uint64 { return p.Agg[i].Count })
	column(func(p *query.Part, i int) uint64 { return p.Agg[i].SumLow })
	column(func(p *query.Part, i int) uint64 { return uint64(p.Agg[i].Min) })
	column(func(p *query.Part, i int) uint64 { return uint64(p.Agg[i].Max) })
	b = b[:0]
	first := true
	for k := range rows.Parts {
		for _, place := range rows.Parts[k].Place {
			if !first {
				b = append(b, '\n')
			}
			first = false
			b = append(b, rows.Keys[place]...)
		}
	}
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}
