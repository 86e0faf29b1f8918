package failover_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("after a failover", func() {
	It("each replica connects with TLS as before, where the account must", Label(cell.LabelFull), func(ctx SpecContext) {
		s, audit := failOverWithTLS(ctx, nil)
		s.expectAfterFailover(ctx, audit)
		for _, n := range s.Replicas() {
			if n.Name == audit.Plan.Promote {
				continue
			}
			Expect(s.usesTLS(ctx, n)).To(BeTrue(), "%s connects without TLS", n.Name)
		}
	})
})

// failOverWithTLS has the replicas connect with TLS, as their account must, and kills the primary.
func failOverWithTLS(ctx SpecContext, plant func(*embedded.Config)) (*fixture, failover.Audit) {
	GinkgoHelper()
	s := deploy(ctx, topology.Options{GTID: true})
	rows, err := s.Primary().Server.Rows(ctx, "SHOW GLOBAL VARIABLES LIKE 'have_ssl'")
	suitekit.NoFault(err)
	if len(rows) > 0 && rows[0]["Value"] != "YES" { // 8.4 removed the variable: every server has TLS
		suitekit.Unsupported("the server was started without a certificate")
	}
	for _, n := range s.Replicas() {
		d := n.Server.Dialect
		options := d.SourcePrefix + "_SSL=1"
		if s.Flavor.IsMariaDB() { // the certificate is self-signed
			options += ", MASTER_SSL_VERIFY_SERVER_CERT=0"
		}
		suitekit.NoFault(n.Server.StopReplica(ctx, ""))
		suitekit.NoFault(n.Server.Exec(ctx, d.ChangeSource+" "+options))
		suitekit.NoFault(n.Server.StartReplica(ctx, ""))
	}
	s.waitForReceivers(ctx)
	accounts, err := s.Primary().Server.Rows(ctx, "SELECT Host AS host FROM mysql.user WHERE User = '"+sandbox.ReplicaUser+"'")
	suitekit.NoFault(err)
	for _, account := range accounts {
		statement := "ALTER USER '" + sandbox.ReplicaUser + "'@'" + account["host"] + "' REQUIRE SSL"
		suitekit.NoFault(s.Primary().Server.Exec(ctx, statement))
	}
	suitekit.NoFault(s.WaitCaughtUp(ctx))
	s.manage(ctx, plant)
	s.write(ctx)
	s.killPrimary(ctx)
	audit := s.waitForFailover(ctx)
	s.finishWrites(ctx)
	return s, audit
}

// usesTLS says whether a replica connects with TLS.
func (s *fixture) usesTLS(ctx context.Context, n *topology.Node) bool {
	GinkgoHelper()
	statuses, err := n.Server.ReplicaStatus(ctx)
	suitekit.NoFault(err)
	for column, value := range statuses[0].Raw {
		if strings.HasSuffix(column, "_SSL_Allowed") {
			return value == "Yes"
		}
	}
	return false
}
