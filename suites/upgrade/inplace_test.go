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

const (
	// freeKilobytes is less than any upgrade takes: MariaDB's takes less than two megabytes.
	freeKilobytes = 64
	// diskIsFull are the words of servers, and ENOSPC's number.
	diskIsFull = `(?i)no space left|disk is full|disk full|errno:? ?28|error:? ?28|error number 28|enough space|table .* is full|cannot (?:extend|resize)|could not set the file size`
)

var _ = func() bool {
	for _, p := range predecessors {
		Describe("a data directory of "+p.what, p.labels, func() { describeInPlace(p) })
	}
	return true
}()

func describeInPlace(p predecessor) {
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
		upgradeSystemTables(ctx, next)
		suitekit.Measure("upgrade in place", "s", time.Since(began).Seconds())
		return next
	}

	// again tries an upgrade that was cut short once more: on what it left, or where that does not do on the copy made before.
	again := func(ctx context.Context, left, old *sandbox.Sandbox) *sandbox.Sandbox {
		GinkgoHelper()
		next := all.clone(suitekit.Golden(sandbox.ProfileDurable), left.DataDir())
		var refused *sandbox.StartError
		err := next.Start(ctx)
		if errors.As(err, &refused) {
			AddReportEntry("the new version does not start on what the upgrade left", refused.LogTail)
			return taken(ctx, old.DataDir())
		}
		Expect(err).NotTo(HaveOccurred())
		upgradeSystemTables(ctx, next)
		return next
	}

	It("keeps every row, object and account when it is shut down cleanly and upgraded in place", func(ctx SpecContext) {
		old := all.loaded(ctx, p.server())
		shut(ctx, old)
		next := taken(ctx, old.DataDir())
		suitekit.NoFault(old.Start(ctx))
		equal(ctx, old, next)
	})

	It("keeps every row when the upgrade was killed with SIGKILL and tried again on what it left, or on the copy made before", Label(cell.LabelFull), func(ctx SpecContext) {
		old := all.loaded(ctx, p.server())
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
		next := again(ctx, killed, old)
		suitekit.NoFault(old.Start(ctx))
		equal(ctx, old, next)
	})

	It("loses nothing when the disk is full in the middle of the upgrade, which is tried again with space, on what it left or on the copy made before", Label(cell.LabelFull), func(ctx SpecContext) {
		old := all.loaded(ctx, p.server())
		shut(ctx, old)
		full := all.clone(suitekit.Golden(sandbox.ProfileDurable), old.DataDir())
		err := full.StartOnSmallDisk(ctx, freeKilobytes, func(ctx context.Context) error {
			_, err := upgrade.SystemTables(ctx, full, suitekit.Cell().Dir)
			return err
		})
		var none *sandbox.SmallDiskError
		var refused *sandbox.StartError
		switch {
		case errors.As(err, &none):
			suitekit.Unsupported(none.Error())
		case errors.As(err, &refused):
			AddReportEntry("the new version, when the disk is full", refused.Error())
			Expect(refused.Error()).To(MatchRegexp(diskIsFull), "neither the server nor its upgrade program says that the disk is full")
		default:
			suitekit.NoFault(err)
			suitekit.Vacuous("the upgrade needs less space than it had")
		}
		next := again(ctx, full, old)
		suitekit.NoFault(old.Start(ctx))
		equal(ctx, old, next)
	})

	It("loses nothing when the older version was killed before the upgrade: it is refused, or every row is there", Label(cell.LabelFull), func(ctx SpecContext) {
		old := all.loaded(ctx, p.server())
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
			upgradeSystemTables(ctx, next)
		}
		equal(ctx, old, next)
	})
}
