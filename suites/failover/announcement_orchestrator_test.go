package failover_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/consul"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/orchestrator"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/topology"
)

// consulSuite is Debian's last one with Consul.
const consulSuite = "bullseye"

var _ = Describe("a new primary", func() {
	if !underTest().HasClient {
		return // it calls hooks, and stores nothing
	}

	It("is stored in Consul only once it takes writes", Label(cell.LabelFull), func(ctx SpecContext) {
		agent := startConsul(ctx)
		s := deploy(ctx, topology.Options{GTID: true})
		config := embedded.Config{Policy: embedded.Policy{AntiFlapping: time.Minute}, Members: s.members()}
		config.Hooks.Promoted = s.redirect
		own := s.orchestratorConfig(config)
		for name, value := range agent.Settings() {
			own.Settings[name] = value
		}
		manager := newOrchestrator(own)
		s.start(ctx, manager)
		s.write(ctx)
		was := fmt.Sprintf("127.0.0.1:%d", s.Primary().Sandbox.Port())
		Eventually(ctx, func() (string, error) {
			if err := manager.StorePrimaries(ctx); err != nil {
				return "", err
			}
			return agent.Primary(ctx, orchestrator.ClusterAlias)
		}).WithTimeout(recoveryLimit).WithPolling(auditPoll).Should(Equal(was))
		s.killPrimary(ctx)
		var stored string
		Eventually(ctx, func() (string, error) {
			var err error
			stored, err = agent.Primary(ctx, orchestrator.ClusterAlias)
			return stored, err
		}).WithTimeout(recoveryLimit).WithPolling(statePoll).ShouldNot(Equal(was), "Consul is not told of the new primary")
		for _, n := range s.Replicas() {
			if stored == fmt.Sprintf("127.0.0.1:%d", n.Sandbox.Port()) {
				Expect(n.Server.ReadOnly(ctx)).To(BeFalse(), "Consul names %s before it takes writes", n.Name)
			}
		}
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailoverIgnoringLoss(ctx, audit)
		Expect(agent.Primary(ctx, orchestrator.ClusterAlias)).To(Equal(fmt.Sprintf("127.0.0.1:%d", s.named(audit.Plan.Promote).Sandbox.Port())))
	})

	It("is reported by orchestrator-client", Label(cell.LabelFull), func(ctx SpecContext) {
		for _, name := range []string{"bash", "curl", "jq"} {
			if _, err := exec.LookPath(name); err != nil {
				suitekit.Unsupported("orchestrator-client is a script that wants " + name + ": " + err.Error())
			}
		}
		s := deploy(ctx, topology.Options{GTID: true})
		config := embedded.Config{Policy: embedded.Policy{AntiFlapping: time.Minute}, Members: s.members()}
		config.Hooks.Promoted = s.redirect
		own := s.orchestratorConfig(config)
		manager := newOrchestrator(own)
		s.start(ctx, manager)
		s.write(ctx)
		client := func(arguments ...string) []string {
			GinkgoHelper()
			output, err := proc.Run(ctx, proc.Cmd{Path: "bash", Dir: own.Dir, Env: []string{"ORCHESTRATOR_API=" + manager.API()},
				Args: append([]string{filepath.Join(own.Resources, "resources", "bin", "orchestrator-client")}, arguments...)})
			suitekit.NoFault(err)
			return strings.Fields(output)
		}
		address := func(name string) string { return fmt.Sprintf("127.0.0.1:%d", s.named(name).Sandbox.Port()) }
		Expect(client("-c", "which-cluster-master", "-i", address("replica1"))).To(Equal([]string{address("primary")}))
		Expect(client("-c", "which-replicas", "-i", address("primary"))).To(ConsistOf(address("replica1"), address("replica2")))
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
		Expect(client("-c", "which-cluster-master", "-i", address(audit.Plan.Promote))).To(Equal([]string{address(audit.Plan.Promote)}))
		for _, n := range s.Replicas() {
			if n.Name != audit.Plan.Promote {
				Expect(client("-c", "which-replicas", "-i", address(audit.Plan.Promote))).To(ContainElement(address(n.Name)))
			}
		}
	})
})

// startConsul obtains Consul and starts one agent of it.
func startConsul(ctx context.Context) *consul.Agent {
	GinkgoHelper()
	store, err := cache.Open(suitekit.Cell().Cache)
	suitekit.NoFault(err)
	program, err := (&tool.Store{Cache: store}).System(ctx, "consul", consulSuite)
	var unavailable *tool.UnavailableError
	if errors.As(err, &unavailable) {
		suitekit.Unsupported("it wants Consul: " + err.Error())
	}
	suitekit.NoFault(err)
	agent := &consul.Agent{Program: program, Dir: suitekit.WorkDir("consul"), Scope: suitekit.Cell().Dir}
	suitekit.Attach(agent.LogPath())
	suitekit.NoFault(agent.Start(ctx))
	DeferCleanup(agent.Stop)
	return agent
}
