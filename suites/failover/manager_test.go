package failover_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// manage starts the manager under test. change says what is to be otherwise, in the embedded manager's
// words; it may plant a fault in that one.
func (s *fixture) manage(ctx context.Context, change func(*embedded.Config)) {
	GinkgoHelper()
	config := embedded.Config{Policy: embedded.Policy{AntiFlapping: time.Minute}}
	config.Hooks.Promoted = s.redirect
	config.Members = s.members()
	if change != nil {
		change(&config)
	}
	s.start(ctx, underTest().make(s, config))
}

// start has a manager look after the scene's servers from now on.
func (s *fixture) start(ctx context.Context, manager failover.Manager) {
	GinkgoHelper()
	s.manager = manager
	DeferCleanup(s.endManager)
	for _, n := range s.Nodes {
		s.samplers.Go(func() { s.watch(ctx, n, s.over) })
	}
	if err := manager.Start(ctx); err != nil {
		Fail(err.Error())
	}
}

// members are the servers as a manager is told of them.
func (s *fixture) members() (list []failover.Member) {
	for _, n := range s.Nodes {
		list = append(list, failover.Member{Name: n.Name, Rule: failover.Neutral,
			Endpoint: n.Sandbox.Endpoint(), Replication: n.Sandbox.ReplicationEndpoint()})
	}
	return list
}

// endManager stops the manager and keeps what it says of itself when the spec has failed: of each cluster, where it had
// more than one.
func (s *fixture) endManager(ctx context.Context) error {
	var err error
	if CurrentSpecReport().Failed() {
		evidence := suitekit.Cell().Evidence
		err = errors.Join(os.MkdirAll(evidence, 0o755),
			os.WriteFile(filepath.Join(evidence, "audits-"+filepath.Base(s.Dir)+".json"), []byte(describe(s.manager.Audits())), 0o644), s.keepSeen(evidence))
	}
	err = errors.Join(err, s.manager.Stop(ctx))
	s.ended.Do(func() { close(s.over) })
	s.watchers.Wait()
	s.samplers.Wait()
	return err
}

// keepSeen keeps what was seen when the cluster was last judged, if it was: it can be judged again.
func (s *fixture) keepSeen(folder string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		return nil
	}
	return s.seen.Write(folder, filepath.Base(s.Dir))
}

// answerLimit is how long a server that may hang is waited for, while a manager waits for its hook.
const answerLimit = time.Second

// noteReceived keeps how far the replicas of the dead primary have received, before anything is changed.
func (s *fixture) noteReceived(ctx context.Context) {
	received := map[string]server.Coordinates{}
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
			if status.Read.Compare(received[n.Name]) > 0 {
				received[n.Name] = status.Read
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = received
}

// redirect tells the application of the new primary, and looks from then on when everybody follows it.
func (s *fixture) redirect(ctx context.Context, a failover.Audit) error {
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
func (s *fixture) watchFollowing(ctx context.Context, primary *topology.Node) {
	for _, n := range s.Nodes {
		if n == primary || !n.Sandbox.Running() || n == s.Primary() {
			continue
		}
		state := wait.State{What: n.Name + " follows " + primary.Name, Limit: catchUpLimit, Poll: auditPoll, Ended: s.over}
		if state.Until(context.WithoutCancel(ctx), func(ctx context.Context) (string, bool, error) {
			statuses, err := n.Server.ReplicaStatus(ctx)
			return fmt.Sprint(statuses), err == nil && len(statuses) == 1 && statuses[0].SourcePort == primary.Sandbox.Port() && statuses[0].Healthy(), err
		}) != nil {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.following = time.Now()
}
