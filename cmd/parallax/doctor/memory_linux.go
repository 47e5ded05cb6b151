package doctor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memoryFree is what programs can still get: the system's estimate, or less
// when this process is in a container with a limit (cgroup v2).
func memoryFree() (uint64, error) {
	kib, err := field("/proc/meminfo", "MemAvailable:")
	if err != nil {
		return 0, fmt.Errorf("cannot ask for the free memory: %w", err)
	}
	free := kib << 10
	const group = "/sys/fs/cgroup/"
	limit, errLimit := field(group+"memory.max", "") // "max", which is no number, is no limit
	used, errUsed := field(group+"memory.current", "")
	cache, errCache := field(group+"memory.stat", "inactive_file") // counted as used, and given back at need
	if errLimit == nil && errUsed == nil && errCache == nil {
		used -= min(used, cache)
		free = min(free, limit-min(limit, used))
	}
	return free, nil
}

// field is the number after the name at the beginning of a line.
func field(path, name string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name); found {
			number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			return strconv.ParseUint(number, 10, 54)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}
