package run

import (
	"bufio"
	"fmt"
	"os"
)

// weightMemory is what a spec's servers, tool and process may take for each unit of its weight, in bytes: two servers
// of 182 MB, as MySQL 9.7 takes, for one that waits.
const weightMemory = 400 << 20

// room is how much weight runs at once: what the processors can do, or as much less as the free memory can hold, but no
// less than one spec of any kind.
func room(procs int, free int64) int64 {
	wanted := fullWeight * int64(max(1, procs))
	if free <= 0 {
		return wanted // it is not known
	}
	return max(fullWeight, min(wanted, free/weightMemory))
}

// idleMemory is what the servers of a topology that waits for a spec may take: three of 182 MB.
const idleMemory = 550 << 20

// idle is how many topologies may wait for a spec.
func (c *Config) idle() int {
	if c.Pool == "" {
		return 0
	}
	return max(1, c.Procs)
}

// memory is how much of the free memory the specs under way may take, besides the topologies that wait; 0 where it is not known.
func (c *Config) memory(free int64) int64 {
	if free <= 0 {
		return 0
	}
	return max(1, free-int64(c.idle())*idleMemory)
}

// freeMemory is how much memory programs may still take without anything being swapped out, in bytes; 0 where the system
// does not say (MemAvailable in proc(5)).
func freeMemory() int64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var kilobytes int64
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}
