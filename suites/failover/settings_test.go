package failover_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/setting"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/upgrade"
)

// settingPrivileges let the application change its sessions' settings, and nothing more: it must not be able to write to a server
// that is read-only. A server that does not know one of them passes it over.
var settingPrivileges = []string{"SESSION_VARIABLES_ADMIN", "TRANSACTION_GTID_TAG", "BINLOG ADMIN"}

// A failover and a takeover go on as usual whatever the settings of servers and of the application's sessions. Each setting is
// tried with both, in pairs that the seed draws.
var _ = suitekit.WithCell(func() {
	seed := suitekit.Cell().Seed
	list := slices.DeleteFunc(setting.On(suitekit.Cell().Flavor, setting.All()), func(s setting.Setting) bool {
		return !s.InFailovers() || s.GTID && s.Session == nil // all of these replicate by GTID
	})
	for _, pair := range setting.Pairs(seed, list) {
		It("a dead primary under load is replaced, and no row differs, under "+setting.Names(pair), Label(cell.LabelFull), func(ctx SpecContext) {
			s := deployUnder(ctx, pair)
			s.manage(ctx, nil)
			s.write(ctx)
			s.killPrimary(ctx)
			audit := s.waitForFailover(ctx)
			s.finishWrites(ctx)
			s.expectAfterFailover(ctx, audit)
		})
	}
	for _, pair := range setting.Pairs(seed+1, list) {
		It("a planned takeover under load loses no write under "+setting.Names(pair), Label(cell.LabelFull), func(ctx SpecContext) {
			s := deployUnder(ctx, pair)
			s.manage(ctx, nil)
			s.write(ctx)
			s.takeOver(ctx, "replica1")
		})
	}
})

// deployUnder makes servers with settings, for an application whose sessions have them. A server that does not know one of them,
// or lets only those set it who may write to a read-only server, makes the spec unsupported.
func deployUnder(ctx SpecContext, settings []setting.Setting) *fixture {
	GinkgoHelper()
	options := topology.Options{GTID: true}
	var session []string
	for _, one := range settings {
		options.Server = slices.Concat(options.Server, one.Server)
		session = slices.Concat(session, one.Session)
		options.SemiSync = options.SemiSync || one.SemiSync
	}
	s := deploy(ctx, options)
	s.session = session
	for _, privilege := range settingPrivileges {
		err := upgrade.Exec(ctx, s.Primary().Sandbox, fmt.Sprintf("GRANT %s ON *.* TO 'msandbox_rw'@'127.%%'", privilege))
		if !errors.As(err, new(*mysql.MySQLError)) {
			suitekit.NoFault(err)
		}
	}
	suitekit.RequireSettings(ctx, s.Primary().Server, application(s.Primary()), settings)
	return s
}
