package upgrade_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/upgrade"
)

var _ = Describe("a data directory of an older version", Label(cell.LabelOlder), func() {
	var all servers

	BeforeEach(func() { all = servers{} })

	// shut shuts a server down as vendors want it before an upgrade.
	shut := func(ctx context.Context, s *sandbox.Sandbox) {
		GinkgoHelper()
		db, err := server.Open(ctx, s.Endpoint())
		suitekit.NoFault(err)
		suitekit.NoFault(errors.Join(db.Exec(ctx, "SET GLOBAL innodb_fast_shutdown = 0"), db.Close(), s.Stop(ctx)))
	}

	// taken starts the cell's version on a copy, with its system tables brought up to date.
	taken := func(ctx context.Context, data string) *sandbox.Sandbox {
		GinkgoHelper()
		next := all.clone(suitekit.Golden(sandbox.ProfileDurable), data)
		began := time.Now()
		Expect(next.Start(ctx)).To(Succeed(), "the new version starts on the older one's data directory")
		detail, err := upgrade.SystemTables(ctx, next, suitekit.Cell().Dir)
		suitekit.NoFault(err)
		if detail != "" {
			suitekit.Unsupported(detail)
		}
		suitekit.Measure("upgrade in place", "s", time.Since(began).Seconds())
		return next
	}

	It("keeps every row, object and account when it is shut down cleanly and upgraded in place", func(ctx SpecContext) {
		old := all.loaded(ctx, older())
		shut(ctx, old)
		next := taken(ctx, old.DataDir())
		suitekit.NoFault(old.Start(ctx))
		equal(ctx, old, next)
	})

	It("keeps every row when the upgrade was killed with SIGKILL and tried again on what it left, or on the copy made before", Label(cell.LabelFull), func(ctx SpecContext) {
		old := all.loaded(ctx, older())
		shut(ctx, old)
		whole := all.clone(suitekit.Golden(sandbox.ProfileDurable), old.DataDir())
		began := time.Now()
		suitekit.NoFault(whole.Start(ctx))
		half := time.Since(began) / 2
		suitekit.NoFault(whole.Kill())
		killed := all.clone(suitekit.Golden(sandbox.ProfileDurable), old.DataDir())
		interrupted, cancel := context.WithTimeout(ctx, half)
		defer cancel()
		err := killed.Start(interrupted) // Start kills the server when its context ends
		if err == nil {
			Expect(killed.Kill()).To(Succeed())
			suitekit.Vacuous("the upgrade was over before the server was killed")
		}
		again := all.clone(suitekit.Golden(sandbox.ProfileDurable), killed.DataDir())
		var refused *sandbox.StartError
		if err := again.Start(ctx); errors.As(err, &refused) {
			AddReportEntry("the new version does not start on what the killed upgrade left", refused.LogTail)
			again = taken(ctx, old.DataDir())
		} else {
			Expect(err).NotTo(HaveOccurred())
			detail, err := upgrade.SystemTables(ctx, again, suitekit.Cell().Dir)
			suitekit.NoFault(err)
			if detail != "" {
				suitekit.Unsupported(detail)
			}
		}
		suitekit.NoFault(old.Start(ctx))
		equal(ctx, old, again)
	})

	It("loses nothing when the older version was killed before the upgrade: it is refused, or every row is there", Label(cell.LabelFull), func(ctx SpecContext) {
		old := all.loaded(ctx, older())
		Expect(old.Kill()).To(Succeed())
		next := all.clone(suitekit.Golden(sandbox.ProfileDurable), old.DataDir())
		err := next.Start(ctx)
		suitekit.NoFault(old.Start(ctx)) // the older version recovers by itself
		var refused *sandbox.StartError
		if errors.As(err, &refused) {
			AddReportEntry("the new version refuses it", refused.LogTail)
			shut(ctx, old)
			next = taken(ctx, old.DataDir())
			suitekit.NoFault(old.Start(ctx))
		} else {
			Expect(err).NotTo(HaveOccurred())
			detail, err := upgrade.SystemTables(ctx, next, suitekit.Cell().Dir)
			suitekit.NoFault(err)
			if detail != "" {
				suitekit.Unsupported(detail)
			}
		}
		equal(ctx, old, next)
	})
})
