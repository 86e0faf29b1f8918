package failover_test

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/orchestrator"
	"mysqlmatrix/harness/suitekit"
)

// managerKind is one manager that the suite knows: what it can do, and how it is made.
type managerKind struct {
	failover.Capabilities
	// make makes a manager of a fixture's servers. The configuration is the embedded manager's; another one is told as
	// much of it as it has settings for.
	make func(*fixture, embedded.Config) failover.Manager
}

var (
	embeddedKind = managerKind{embedded.Capabilities, func(_ *fixture, c embedded.Config) failover.Manager {
		GinkgoHelper()
		manager, err := embedded.New(c)
		suitekit.NoFault(err)
		return manager
	}}
	orchestratorKind = managerKind{orchestrator.Capabilities, func(s *fixture, c embedded.Config) failover.Manager {
		GinkgoHelper()
		return newOrchestrator(s.orchestratorConfig(c))
	}}
	// One that matrix.yaml declares does not say when it detects a failure, before it touches anything: what was lost by it and
	// what by the primary could not be told apart.
	declaredKind = managerKind{make: func(*fixture, embedded.Config) failover.Manager {
		GinkgoHelper()
		suitekit.Unsupported("a manager that matrix.yaml declares is for matrix up: it does not say when it detects a failure")
		return nil
	}}
)

// underTest is the manager that the cell's tool is. A tool that is neither the embedded manager nor declared is
// orchestrator, or a build of it under a name of its own.
func underTest() managerKind {
	switch program := suitekit.Cell().Tool; {
	case program.Name == "embedded":
		return embeddedKind
	case program.Manager != nil:
		return declaredKind
	}
	return orchestratorKind
}

// tier says of which managers the pr tier runs a spec. The full tier runs all.
type tier uint8

const (
	everyManager tier = iota + 1
	fastManagers
)

// inPRTier labels a spec that the pr tier runs with some managers.
func inPRTier(t tier) Labels {
	if t == everyManager || underTest().PollsFast {
		return nil
	}
	return Label(cell.LabelFull)
}

// polling labels a spec that waits for most of its time under a manager that polls once a second.
func polling() Labels {
	if underTest().PollsFast {
		return nil
	}
	return Label(cell.LabelWaiting)
}

// newOrchestrator is the program with a configuration. Its log is kept.
func newOrchestrator(c orchestrator.Config) *orchestrator.Manager {
	GinkgoHelper()
	manager, err := orchestrator.New(c)
	suitekit.NoFault(err)
	suitekit.Attach(manager.LogPath())
	return manager
}

// orchestratorConfig says in orchestrator's words what a configuration of the embedded manager does.
func (s *fixture) orchestratorConfig(c embedded.Config) orchestrator.Config {
	GinkgoHelper()
	program := suitekit.Cell().Tool
	settings := map[string]any{}
	if c.FindPosition != nil {
		settings["PseudoGTIDPattern"] = "drop view if exists `_pseudo_gtid_`"
		settings["PseudoGTIDPatternIsFixedSubstring"] = true
		settings["PseudoGTIDMonotonicHint"] = "asc:"
		settings["DetectPseudoGTIDQuery"] = "SELECT 1"
	}
	if s.SemiSync {
		settings["DetectSemiSyncEnforcedQuery"] = "SELECT 1"
	}
	hooks := c.Hooks
	hooks.Detected = func(ctx context.Context, a failover.Audit) error {
		s.noteReceived(ctx)
		if c.Hooks.Detected != nil {
			return c.Hooks.Detected(ctx, a)
		}
		return nil
	}
	return orchestrator.Config{
		Path: program.Path, Resources: program.Dir, Dir: suitekit.WorkDir(filepath.Base(s.Dir) + "-orchestrator"), Scope: suitekit.Cell().Dir,
		Members: c.Members, Interval: c.Interval, AntiFlapping: c.Policy.AntiFlapping, Hooks: hooks, Settings: settings,
	}
}
