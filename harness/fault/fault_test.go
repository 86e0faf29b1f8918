package fault

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mysqlmatrix/harness/topology"
)

var (
	_ Fault = Kill{}
	_ Fault = Shutdown{}
	_ Fault = Pause{}
	_ Fault = StopThread{}
	_ Fault = Refuse{}
	_ Fault = ClockStep{}
	_ Fault = Delay{}
	_ Fault = KillCommitting{}
	_ Fault = &GlobalLock{}
	_ Fault = &NoConnections{}
)

func TestProcessState(t *testing.T) {
	own, err := processState(os.Getpid())
	if err != nil || own != "R" && own != "S" {
		t.Fatalf("state of this process: %q, %v", own, err)
	}
	sleeper := exec.CommandContext(t.Context(), "sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := check("pause").Until(t.Context(), func(context.Context) (string, bool, error) {
		state, err := processState(sleeper.Process.Pid)
		return state, state == "T", err
	}); err != nil {
		t.Error(err)
	}
	if err := sleeper.Process.Kill(); err != nil {
		t.Error(err)
	}
}

func TestCheckSaysWhatItSawLast(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := check("pause primary").Until(ctx, func(context.Context) (string, bool, error) { return "process state S", false, nil })
	if err == nil || !strings.Contains(err.Error(), "last seen: process state S") {
		t.Errorf("error: %v", err)
	}
}

func TestStopThreadRefusesAnUnknownThread(t *testing.T) {
	err := StopThread{Node: &topology.Node{Name: "replica1"}}.set(t.Context(), "stop", nil, "No")
	if err == nil || !strings.Contains(err.Error(), "neither IO nor SQL") {
		t.Errorf("error: %v", err)
	}
}
