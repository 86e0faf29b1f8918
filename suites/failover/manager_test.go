package failover_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// The managers, as matrix.yaml names them.
const (
	embedded     = "embedded"
	orchestrator = "orchestrator"
)

// isEmbedded says whether the embedded manager is under test. What can only be planted in a manager of this
// project's own is.
func isEmbedded() bool { return suitekit.Cell().Tool.Name == embedded }

// quick labels a spec that the pr tier runs with the named managers only.
func quick(managers ...string) Labels {
	for _, name := range managers {
		if name == suitekit.Cell().Tool.Name {
			return nil
		}
	}
	return Label(cell.LabelFull)
}

// polling labels a spec that waits for most of its time under a manager that asks once a second, as orchestrator does.
func polling() Labels {
	if isEmbedded() {
		return nil
	}
	return Label(cell.LabelWaiting)
}

// manage starts the manager under test. change says what is to be otherwise, in the embedded manager's
// words; it may plant a fault in that one.
func (s *scene) manage(ctx context.Context, change func(*failover.Config)) {
	GinkgoHelper()
	config := failover.Config{Policy: failover.Policy{AntiFlapping: time.Minute}}
	config.Hooks.Promoted = s.redirect
	config.Members = s.members()
	if change != nil {
		change(&config)
	}
	if isEmbedded() {
		manager, err := failover.NewEmbedded(config)
		suitekit.NoFault(err)
		s.start(ctx, manager)
	} else {
		s.start(ctx, orchestratorBy(s.orchestratorConfig(config)))
	}
}

// start has a manager look after the scene's servers from now on.
func (s *scene) start(ctx context.Context, manager failover.Manager) {
	GinkgoHelper()
	s.manager = manager
	DeferCleanup(s.endManager)
	if err := manager.Start(ctx); err != nil {
		Fail(err.Error())
	}
}

// members are the servers as a manager is told of them.
func (s *scene) members() (list []failover.Member) {
	for _, n := range s.Nodes {
		list = append(list, failover.Member{Name: n.Name, Rule: failover.Neutral,
			Endpoint: n.Sandbox.Endpoint(), Replication: n.Sandbox.ReplicationEndpoint()})
	}
	return list
}

// orchestratorBy is the program with a configuration, and keeps its log.
func orchestratorBy(c failover.OrchestratorConfig) *failover.Orchestrator {
	GinkgoHelper()
	manager, err := failover.NewOrchestrator(c)
	suitekit.NoFault(err)
	suitekit.Attach(manager.LogPath())
	return manager
}

// orchestratorConfig says the same in orchestrator's words.
func (s *scene) orchestratorConfig(c failover.Config) failover.OrchestratorConfig {
	GinkgoHelper()
	program := suitekit.Cell().Tool
	settings := map[string]any{}
	if c.Rewire != nil {
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
		s.noteFetched(ctx)
		if c.Hooks.Detected != nil {
			return c.Hooks.Detected(ctx, a)
		}
		return nil
	}
	return failover.OrchestratorConfig{
		Path: program.Path, Resources: program.Dir, Dir: suitekit.WorkDir(filepath.Base(s.Dir) + "-orchestrator"), Scope: suitekit.Cell().Dir,
		Members: c.Members, Interval: c.Interval, AntiFlapping: c.Policy.AntiFlapping, Hooks: hooks, Settings: settings,
	}
}

// endManager stops the manager and keeps what it says of itself when the spec has failed: of each cluster, where it had
// more than one.
func (s *scene) endManager(ctx context.Context) error {
	var err error
	if CurrentSpecReport().Failed() {
		evidence := suitekit.Cell().Evidence
		err = errors.Join(os.MkdirAll(evidence, 0o755),
			os.WriteFile(filepath.Join(evidence, "audits-"+filepath.Base(s.Dir)+".json"), []byte(describe(s.manager.Audits())), 0o644))
	}
	err = errors.Join(err, s.manager.Stop(ctx))
	s.ended.Do(func() { close(s.over) })
	s.watchers.Wait()
	return err
}

// answerLimit is how long a server that may hang is waited for, while a manager waits for its hook.
const answerLimit = time.Second

// noteFetched keeps how far the replicas of the dead primary have fetched, before anybody touches them.
func (s *scene) noteFetched(ctx context.Context) {
	fetched := map[string]server.Coordinates{}
	for _, n := range s.Replicas() {
		if s.Nodes[n.Sources[0]] != s.Primary() {
			continue
		}
		asked, cancel := context.WithTimeout(ctx, answerLimit)
		statuses, err := n.Server.ReplicaStatus(asked)
		cancel()
		if err != nil {
			continue // dead as well, or it hangs
		}
		for _, status := range statuses {
			if status.Read.Compare(fetched[n.Name]) > 0 {
				fetched[n.Name] = status.Read
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched = fetched
}

// redirect tells the application of the new primary, and looks from then on when everybody follows it.
func (s *scene) redirect(ctx context.Context, a failover.Audit) error {
	n, err := s.Node(a.Plan.Promote)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.target, s.moved = application(n), true
	s.mu.Unlock()
	s.watchers.Go(func() { s.watchFollowing(ctx, n) })
	return nil
}

// watchFollowing notes when every replica that runs follows the new primary. One that never does is found
// by the oracle.
func (s *scene) watchFollowing(ctx context.Context, primary *topology.Node) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUpLimit)
	defer cancel()
	tick := time.NewTicker(auditPoll)
	defer tick.Stop()
	for _, n := range s.Nodes {
		if n == primary || !n.Sandbox.Running() || n == s.Primary() {
			continue
		}
		for {
			statuses, err := n.Server.ReplicaStatus(ctx)
			if err == nil && len(statuses) == 1 && statuses[0].SourcePort == primary.Sandbox.Port() && statuses[0].Healthy() {
				break
			}
			select {
			case <-tick.C:
			case <-s.over:
				return
			case <-ctx.Done():
				return
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.following = time.Now()
}
