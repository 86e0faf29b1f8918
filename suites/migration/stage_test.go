package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// stageRows are few: these specs are about where a tool is disturbed, and not about how much it copies.
const stageRows = 4000

const (
	stateLimit = 25 * time.Second // for a state to come; a tool that hangs before it is found out by this
	statePoll  = 10 * time.Millisecond
	// lockPatience is how long a DDL statement may wait for the table after a tool has ended, seconds.
	lockPatience = 3
)

// The account that only the tool under test uses, so that its sessions are told from the suite's.
const toolUser, toolPassword = "osc", "osc"

// stage is a scene on which the tool is disturbed: a small table, and increments instead of a ledger of
// every write. The scene's own ledger has no writes, so that it says that rows are otherwise as they were.
type stage struct {
	*scene
	tool   migration.Tool
	mode   migration.Mode
	handle handling
	counts *increments
	source server.Endpoint // where the tool connects to the primary
	link   *fault.Link     // that source leads over, in some specs
	always []string        // flags for every run of the tool
	runs   int             // of the tool, for names of folders
}

// plan is what a spec asks of its stage.
type plan struct {
	topology.Options
	profile sandbox.Profile // fast, when empty
	grants  []string        // of the tool's account; everything, when empty
}

// setUp deploys a stage.
func setUp(ctx SpecContext, tool migration.Tool, mode migration.Mode, p plan) *stage {
	if p.profile == "" {
		p.profile = sandbox.ProfileFast
	}
	if p.Shape == (topology.Shape{}) {
		p.Shape = topology.MustShape("star:1")
	}
	p.Server = append(p.Server, mode.ServerOptions()...)
	// Without it, triggers are for those with SUPER where there is a binary log.
	p.Server = append(p.Server, "loose-log_bin_trust_function_creators=ON")
	t := suitekit.Deploy(ctx, p.profile, p.Options)
	s := &stage{
		scene: &scene{Topology: t, primary: t.Primary().Server, ledger: workload.NewLedger(stageRows)},
		tool:  tool, mode: mode, handle: handlings[tool.Name()], counts: newIncrements(stageRows),
	}
	s.replica = t.Nodes[len(t.Nodes)-1].Server // of a chain, the leaf
	suitekit.NoFault(workload.Create(ctx, s.primary, table))
	suitekit.NoFault(workload.Fill(ctx, s.primary, table, stageRows))
	suitekit.NoFault(s.primary.Exec(ctx,
		"ANALYZE TABLE "+table.String(),
		"CREATE TABLE "+model.String()+" LIKE "+table.String(),
		"ALTER TABLE "+model.String()+" "+change,
	))
	suitekit.NoFault(s.createAccount(ctx, p.grants))
	s.source = s.account(s.primary.Endpoint)
	suitekit.NoFault(t.WaitCaughtUp(ctx))
	var err error
	s.original, err = structure(ctx, s.primary, table.Name)
	suitekit.NoFault(err)
	return s
}

// account is the tool's account on a server.
func (s *stage) account(ep server.Endpoint) server.Endpoint {
	ep.User, ep.Password = toolUser, toolPassword
	return ep
}

// toolAccount is the tool's account as statements name it.
const toolAccount = "'" + toolUser + "'@'127.%'"

// everything is what the tool's account may do unless a spec limits it.
const everything = "ALL PRIVILEGES ON *.*"

// createAccount makes the tool's account.
func (s *stage) createAccount(ctx context.Context, grants []string) error {
	if grants == nil {
		grants = []string{everything}
	}
	statements := []string{"CREATE USER " + toolAccount + " IDENTIFIED BY '" + toolPassword + "'"}
	for _, grant := range grants {
		statements = append(statements, "GRANT "+grant+" TO "+toolAccount)
	}
	return s.asGranter(ctx, statements...)
}

// limit leaves the tool's account what the tools' manuals ask for, and nothing that lets it write to a server
// that is read-only. Privileges have other names from server to server: each takes those that it knows.
func (s *stage) limit(ctx context.Context) error {
	rows, err := s.primary.Rows(ctx, "SHOW PRIVILEGES")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, row := range rows {
		known[strings.ToUpper(row["Privilege"])] = true
	}
	global := []string{"PROCESS", "SELECT", "REPLICATION SLAVE"}
	for _, one := range []string{"REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR", "REPLICATION MASTER ADMIN"} {
		if known[one] {
			global = append(global, one)
		}
	}
	if !known["REPLICATION CLIENT"] && s.tool.Name() == migration.NameGhost {
		// MariaDB shows REPLICATION CLIENT as BINLOG MONITOR, which gh-ost does not take for it.
		global = append(global, "SUPER")
	}
	return s.asGranter(ctx,
		"REVOKE ALL PRIVILEGES, GRANT OPTION FROM "+toolAccount,
		"GRANT "+strings.Join(global, ", ")+" ON *.* TO "+toolAccount,
		"GRANT ALL PRIVILEGES ON "+server.Ident(database)+".* TO "+toolAccount,
	)
}

// unlimit gives the tool's account everything again.
func (s *stage) unlimit(ctx context.Context) error {
	return s.asGranter(ctx, "GRANT "+everything+" TO "+toolAccount)
}

// asGranter runs statements about accounts.
func (s *stage) asGranter(ctx context.Context, statements ...string) (err error) {
	granter, err := s.granter(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, granter.Close()) }()
	for _, statement := range statements {
		if _, err := granter.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("account of the tool: %s: %w", statement, err)
		}
	}
	return nil
}

// granter connects as one who may grant: the administrator, where the golden sandbox made it so, or root, who
// is at 127.0.0.1 or at localhost by the installation.
func (s *stage) granter(ctx context.Context) (*sql.DB, error) {
	admin := s.primary.Endpoint.Config("")
	root, local := admin.Clone(), admin.Clone()
	root.User, local.User = "root", "root"
	local.Net, local.Addr = "unix", s.Primary().Sandbox.Socket()
	var errs []error
	for _, config := range []*mysql.Config{admin, root, local} {
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, err
		}
		db := sql.OpenDB(connector)
		var grants string
		err = db.QueryRowContext(ctx, "SHOW GRANTS").Scan(&grants)
		if err == nil && strings.Contains(grants, "WITH GRANT OPTION") {
			return db, nil
		}
		errs = append(errs, fmt.Errorf("%s may not grant: %s", config.User, grants), err, db.Close())
	}
	return nil, errors.Join(errs...)
}

// traffic starts readers and writers on the primary, which stop with the spec at the latest.
func (s *stage) traffic(ctx context.Context, t *traffic) *traffic {
	t.counts, t.endpoint = s.counts, s.primary.Endpoint
	before := s.counts.total()
	t.start(ctx)
	DeferCleanup(func() { _ = t.halt() }) // a spec that did not come to its own halt has failed already
	Eventually(ctx, s.counts.total).WithTimeout(startLimit).WithPolling(statePoll).
		Should(BeNumerically(">", before+incrementers), "the writers do not write")
	return t
}

// applier is the server on which the tool builds the new table: the primary, in the modes of these specs.
func (s *stage) applier() *server.Server { return s.primary }

// replication is what the replicas say of their threads, a line each.
func (s *stage) replication(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, stateLimit)
	defer cancel()
	var text strings.Builder
	for _, n := range s.Replicas() {
		statuses, err := n.Server.ReplicaStatus(ctx)
		if err != nil {
			fmt.Fprintf(&text, "%s: %v\n", n.Name, err)
		}
		for _, status := range statuses {
			fmt.Fprintf(&text, "%s: %s\n", n.Name, status)
		}
	}
	return text.String()
}

// await waits for a state, with the state seen last in its failure.
func await(ctx context.Context, what string, look func(context.Context) (seen string, ok bool)) error {
	ctx, cancel := context.WithTimeout(ctx, stateLimit)
	defer cancel()
	tick := time.NewTicker(statePoll)
	defer tick.Stop()
	var last string
	for {
		seen, ok := look(ctx)
		if ok {
			return nil
		}
		if ctx.Err() == nil {
			last = seen // and not that the question itself ran out of time
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s; last seen: %s", what, stateLimit, last)
		}
	}
}

// free is an error unless the tool has left nothing locked on any server: none of its sessions is there, and a
// statement that needs the table for itself alone gets it.
func (s *stage) free(ctx context.Context) error {
	for _, n := range s.Nodes {
		if err := await(ctx, "node "+n.Name+": the tool's sessions end", func(ctx context.Context) (string, bool) {
			// One that reads the binary log holds no lock, and is not missed before there is something to send.
			rows, err := n.Server.Rows(ctx, "SELECT id, command, state, info FROM information_schema.processlist"+
				" WHERE command NOT LIKE 'Binlog Dump%' AND user = "+server.Quote(toolUser))
			return fmt.Sprintf("%v, error: %v", rows, err), err == nil && len(rows) == 0
		}); err != nil {
			return err
		}
	}
	return s.alone(ctx)
}

// alone takes the table for a statement of its own.
func (s *stage) alone(ctx context.Context) (err error) {
	conn, err := s.primary.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	aside := workload.Table{Database: database, Name: "aside"}
	for _, statement := range []string{
		fmt.Sprintf("SET SESSION lock_wait_timeout = %d", lockPatience),
		fmt.Sprintf("RENAME TABLE %[1]s TO %[2]s, %[2]s TO %[1]s", table, aside),
		"SET SESSION lock_wait_timeout = DEFAULT",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("the table is still locked: %s: %w", statement, err)
		}
	}
	return nil
}

// state is what a table was left as.
type state uint8

const (
	original state = iota // as before the change
	changed
	either // the one or the other, the same on every server
)

// whole is the oracle after a tool has ended, however it did: nothing is locked, and on every server the
// table is as it was or changed, with all that was acknowledged and no more; and nothing is left of the
// tool but what is named.
func (s *stage) whole(ctx context.Context, want state, left ...string) error {
	if err := s.free(ctx); err != nil {
		return err
	}
	if err := s.WaitCaughtUp(ctx); err != nil {
		return err
	}
	if want == either {
		want = original
		if text, err := structure(ctx, s.primary, table.Name); err != nil {
			return err
		} else if text != s.original {
			want = changed
		}
	}
	var errs []error
	for _, n := range s.Nodes {
		errs = append(errs, s.shaped(ctx, n.Server, want), s.complete(ctx, n.Server), s.counts.verify(ctx, n.Server))
		list, err := remains(ctx, n.Server)
		list = slices.DeleteFunc(list, func(what string) bool { return slices.Contains(left, what) })
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("node %s: the tool left %s", n.Name, strings.Join(list, ", "))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *stage) shaped(ctx context.Context, one *server.Server, want state) error {
	if want == changed {
		return compareStructure(ctx, one, model.Name, one, table.Name)
	}
	got, err := structure(ctx, one, table.Name)
	if err == nil && got != s.original {
		err = fmt.Errorf("server %s: the table was to stay as it was, and is\n%s", one.Endpoint.Addr(), got)
	}
	return err
}

// sweep removes what a tool has left and would not remove by itself on its next run.
func (s *stage) sweep(ctx context.Context) error {
	list, err := remains(ctx, s.primary)
	if err != nil || s.handle.sweeps {
		return err
	}
	for _, what := range list {
		kind, name, _ := strings.Cut(what, " ")
		if err := s.primary.Exec(ctx, fmt.Sprintf("DROP %s %s.%s", kind, server.Ident(database), server.Ident(name))); err != nil {
			return err
		}
	}
	return nil
}

// again runs the tool once more, with nothing in its way and the table written to: it succeeds.
func (s *stage) again(ctx SpecContext, extra ...string) *migration.Result {
	suitekit.NoFault(s.sweep(ctx))
	load := s.traffic(ctx, &traffic{})
	run := s.begin(ctx, extra...)
	result := run.succeed(ctx)
	Expect(load.halt()).To(Succeed())
	Expect(s.whole(ctx, changed)).To(Succeed(), "after a second run")
	return result
}
