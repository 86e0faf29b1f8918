package failover_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// injectedLimit is how long orchestrator may take to write an entry: it does so every five seconds
// (PseudoGTIDIntervalSeconds in its go/config).
const injectedLimit = 30 * time.Second

var _ = Describe("a manager that writes Pseudo-GTID entries", func() {
	if !underTest().InjectsPseudoGTID {
		return // the application's injector does, or the server's event scheduler
	}

	It("repoints a replica by them and writes them on the new primary", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		config := embedded.Config{Policy: embedded.Policy{AntiFlapping: time.Minute}, Members: s.members()}
		config.Hooks.Promoted = s.redirect
		own := s.orchestratorConfig(config)
		own.Settings["AutoPseudoGTID"] = true
		s.start(ctx, newOrchestrator(own))
		s.write(ctx)
		before := s.injected(ctx, s.Primary(), "")
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		s.stopReceiving(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
		s.injected(ctx, s.named(audit.Plan.Promote), before)
	})
})

// injected waits for an entry in a server's binary logs that is unlike the one before.
func (s *fixture) injected(ctx context.Context, n *topology.Node, before string) (hint string) {
	GinkgoHelper()
	Eventually(ctx, func() (string, error) {
		entry, err := pseudogtid.Last(ctx, n.Server)
		if err != nil || entry == nil {
			return before, err
		}
		hint = entry.Hint
		return hint, nil
	}).WithTimeout(injectedLimit).WithPolling(auditPoll).ShouldNot(Equal(before), "no entry is written on "+n.Name)
	return hint
}
