package failover_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a new primary", func() {
	It("is announced only once it takes writes", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		suitekit.NoFault(s.Primary().Server.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY)", aside)))
		announced := make(chan error, 1)
		s.manage(ctx, func(c *embedded.Config) {
			c.Hooks.Promoted = func(ctx context.Context, a failover.Audit) error {
				announced <- s.writeAside(ctx, a.Plan.Promote)
				return s.redirect(ctx, a)
			}
		})
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(announced).To(Receive(BeNil()), "the hook names a server that takes no writes")
		s.expectAfterFailoverIgnoringLoss(ctx, audit)
		if !underTest().StoresPrimaries {
			return
		}
		step := func(part string) int {
			return slices.IndexFunc(audit.Steps, func(one failover.Step) bool { return strings.Contains(one.What, part) })
		}
		writable, stored := step("applying read-only=0 on promoted master: success=true"), step("Writing KV")
		Expect(writable).NotTo(Equal(-1), describeOne(audit))
		Expect(stored).To(BeNumerically(">", writable), "the key-value store is told of the new primary before it takes writes")
		Expect(audit.Steps[stored].What).To(ContainSubstring(fmt.Sprint(s.named(audit.Plan.Promote).Sandbox.Port())))
	})
})

// writeAside writes a row as the application would.
func (s *fixture) writeAside(ctx context.Context, name string) (err error) {
	n, err := s.Node(name)
	if err != nil {
		return err
	}
	db, err := application(n).OpenDB(aside.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (1)", aside))
	return err
}
