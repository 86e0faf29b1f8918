package run

import (
	"fmt"
	"os"
	"regexp"
	"runtime"

	"mysqlmatrix/harness/report"
)

// busyLoad is the load average for each processor from which on a limit that ran out says nothing of a server or a tool.
// A run by itself makes 2 to 5. Limits of 20 seconds were enough at 10, and now and then too short at 25 and more.
const busyLoad = 20

// ranOut is how the errors of a limit are worded: by package wait, by gomega, and by Go's contexts and connections.
var ranOut = regexp.MustCompile(`: not after \d|(?m:^Timed out after \d)|context deadline exceeded|i/o timeout`)

// tooBusy makes errored what failed by a limit on a machine with so much else to do: load is its load average for each processor.
func tooBusy(e report.Event, load float64) report.Event {
	byLimit := e.Verdict == report.VerdictTimedOut || e.Verdict == report.VerdictFailed && ranOut.MatchString(e.Error)
	if load < busyLoad || !byLimit {
		return e
	}
	e.Verdict = report.VerdictErrored
	e.Error = fmt.Sprintf("a limit ran out on a machine that was too busy to tell why (a load of %.0f for each processor): run it again with less beside it\n%s", load, e.Error)
	return e
}

// loadOfProcessor is the machine's load average over the last minute for each processor; 0 where the system does not say
// (loadavg in proc(5)).
func loadOfProcessor() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	var load float64
	if _, scanErr := fmt.Sscan(string(text), &load); err != nil || scanErr != nil {
		return 0
	}
	return load / float64(runtime.NumCPU())
}
