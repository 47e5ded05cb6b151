package batch

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"parallax.example/internal/config"
	"parallax.example/internal/view"
)

// Config of a run.
type Config struct {
	Lake    string `default:"lake" help:"Folder of the lake."`
	Out     string `default:"batch" help:"Folder of all jobs; the job's own lies in it."`
	Views   string `default:"views.yaml" help:"File with the views."`
	Topic   string `default:"" help:"Topic whose events are read. Empty: the only one of the lake."`
	Job     string `default:"" help:"Name of the job, new for each. Empty: made from time and chance. Of a job that died: it goes on."`
	Cut     string `default:"" help:"First offsets that are not read, as partition=offset,... Partitions not named are read to the lake's end."`
	Workers int    `default:"0" help:"Tasks at a time. 0: as many as there are cores."`
}

// Validate reports what is wrong with the values.
func (c *Config) Validate() []config.Fault {
	var faults []config.Fault
	fault := func(flag, format string, args ...any) {
		faults = append(faults, config.Fault{Place: flag, Message: fmt.Sprintf(format, args...)})
	}
	if c.Lake == "" {
		fault("--lake", "a folder is needed")
	}
	if c.Out == "" {
		fault("--out", "a folder is needed")
	}
	if c.Views == "" {
		fault("--views", "a file is needed")
	}
	if c.Job != "" && !jobForm.MatchString(c.Job) {
		fault("--job", "%q must be 1 to 128 of letters, digits, '.', '_' and '-', beginning with a letter or digit", c.Job)
	}
	if _, err := ParseCut(c.Cut); err != nil {
		fault("--cut", "%v", err)
	}
	if c.Workers < 0 {
		fault("--workers", "must not be negative")
	}
	return faults
}

var jobForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// ParseCut reads "0=100,3=7": the first offset that is not read, by partition.
func ParseCut(s string) (map[int32]int64, error) {
	cut := map[int32]int64{}
	if strings.TrimSpace(s) == "" {
		return cut, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		p, err := strconv.ParseInt(name, 10, 32)
		offset, err2 := strconv.ParseInt(value, 10, 64)
		if !ok || err != nil || err2 != nil || p < 0 || offset < 0 {
			return nil, fmt.Errorf("%q is not partition=offset, such as 0=1500", part)
		}
		if _, twice := cut[int32(p)]; twice {
			return nil, fmt.Errorf("partition %d stands twice", p)
		}
		cut[int32(p)] = offset
	}
	return cut, nil
}

// FormatCut is the text that ParseCut reads.
func FormatCut(cut map[int32]int64) string {
	var parts []string
	for p := range int32(len(cut)) {
		if offset, ok := cut[p]; ok {
			parts = append(parts, fmt.Sprintf("%d=%d", p, offset))
		}
	}
	return strings.Join(parts, ",")
}

func (c *Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func readViews(name string) (*view.File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read views: %w", err)
	}
	return view.Parse(name, text)
}
