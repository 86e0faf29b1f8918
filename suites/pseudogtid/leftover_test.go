package pseudogtid_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/pool"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// leftover is something that a spec or a tool could leave on a server, by which its topology must not be used again.
type leftover struct {
	what       string // as the refusal names it
	node       int
	leave      []string // statements of a session that logs nothing
	remove     []string
	leaveIt    func(ctx context.Context, n *topology.Node) error // where it takes more than statements
	removeIt   func(ctx context.Context, n *topology.Node) error
	capability flavor.Capability // that the server must have
}

// leftovers are of every kind that the fingerprint knows. Databases that specs own are none.
func leftovers(golden *sandbox.Golden, sqlMode string) []leftover {
	d := golden.Flavor.Dialect()
	list := []leftover{
		{what: "table matrix_proof.left", node: 1, leave: []string{"CREATE TABLE matrix_proof.left_behind (id INT)"}, remove: []string{"DROP TABLE matrix_proof.left_behind"}},
		{what: "schema meta is left", leave: []string{"CREATE DATABASE meta", "CREATE TABLE meta.heartbeat (id INT PRIMARY KEY, ts DATETIME)"}, remove: []string{"DROP DATABASE meta"}},
		{what: "contents of matrix_proof.seen", node: 1, leave: []string{"ALTER TABLE matrix_proof.seen ADD COLUMN more INT NOT NULL DEFAULT 7"}, remove: []string{"ALTER TABLE matrix_proof.seen DROP COLUMN more"}},
		{what: "trigger matrix_proof.fires is left", leave: []string{"CREATE TRIGGER matrix_proof.fires AFTER DELETE ON matrix_proof.seen FOR EACH ROW SET @a = 1"}, remove: []string{"DROP TRIGGER matrix_proof.fires"}},
		{what: "event matrix_proof.runs is left", node: 1, leave: []string{"CREATE EVENT matrix_proof.runs ON SCHEDULE EVERY 1 DAY DO SET @a = 1"}, remove: []string{"DROP EVENT matrix_proof.runs"}},
		{what: "account left@localhost is left", leave: []string{"CREATE USER 'left'@'localhost'"}, remove: []string{"DROP USER 'left'@'localhost'"}},
		{what: "contents of mysql.servers", node: 1, leave: []string{"CREATE SERVER elsewhere FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')"}, remove: []string{"DROP SERVER elsewhere"}},
		{what: `global variable max_connections was "200" and is "150"`, leave: []string{"SET GLOBAL max_connections = 150"}, remove: []string{"SET GLOBAL max_connections = 200"}},
		{what: "global variable sql_mode was", node: 1, leave: []string{"SET GLOBAL sql_mode = 'ANSI_QUOTES'"}, remove: []string{"SET GLOBAL sql_mode = " + server.Quote(sqlMode)}},
		{what: "replication does not run", node: 1, leave: []string{d.StopSQLThread}, remove: []string{d.StartSQLThread}},
		{what: "binary logs before", node: 1, leaveIt: purge, remove: []string{"SET SESSION sql_log_bin = 1", d.ResetBinaryLogs}},
		{what: "file data/left.txt is left", node: 1, leave: []string{"SELECT 1 INTO OUTFILE 'left.txt'"}, removeIt: func(_ context.Context, n *topology.Node) error {
			return os.Remove(filepath.Join(n.Sandbox.DataDir(), "left.txt"))
		}},
		{what: "file left.txt is left", leaveIt: func(_ context.Context, n *topology.Node) error {
			return os.WriteFile(filepath.Join(n.Sandbox.Dir(), "left.txt"), nil, 0o644)
		}, removeIt: func(_ context.Context, n *topology.Node) error {
			return os.Remove(filepath.Join(n.Sandbox.Dir(), "left.txt"))
		}},
	}
	if golden.Flavor.Provisioning().GrantsByRole { // the administrator may grant
		list = append(list, leftover{what: "contents of mysql.db", node: 1, leave: []string{"GRANT SELECT ON matrix_proof.* TO 'rsandbox'@'127.%'"}, remove: []string{"REVOKE SELECT ON matrix_proof.* FROM 'rsandbox'@'127.%'"}})
	}
	if s := d.SemiSync; s.SourcePlugin != "" {
		list = append(list, leftover{what: "plug-in " + s.SourcePlugin + " is left", capability: flavor.CapSemiSync,
			leave: []string{"INSTALL PLUGIN " + s.SourcePlugin + " SONAME " + server.Quote(s.SourceLibrary)}, remove: []string{"UNINSTALL PLUGIN " + s.SourcePlugin}})
	} else {
		list = append(list, leftover{what: "global variable " + s.SourceEnabled + " was", capability: flavor.CapSemiSync,
			leave: []string{"SET GLOBAL " + s.SourceEnabled + " = ON"}, remove: []string{"SET GLOBAL " + s.SourceEnabled + " = OFF"}})
	}
	return list
}

// purge has a server begin a new binary log and delete the old one.
func purge(ctx context.Context, n *topology.Node) error {
	if err := n.Server.Exec(ctx, "FLUSH BINARY LOGS"); err != nil {
		return err
	}
	logs, err := n.Server.BinaryLogs(ctx)
	if err != nil {
		return err
	}
	// A log that is not synchronised yet is kept.
	purged := wait.State{What: "the first binary log is purged", Limit: 10 * time.Second}
	return purged.Until(ctx, func(ctx context.Context) (string, bool, error) {
		if err := n.Server.Exec(ctx, "PURGE BINARY LOGS TO "+server.Quote(logs[len(logs)-1].Name)); err != nil {
			return "", false, err
		}
		left, err := n.Server.BinaryLogs(ctx)
		return fmt.Sprintf("%d of %d logs", len(left), len(logs)), len(left) < len(logs), err
	})
}

var _ = describe("topologies that are used again", func() {
	It("are refused for whatever is left on one of their servers", func(ctx SpecContext) {
		golden := suitekit.Golden(sandbox.ProfileFast)
		t := suitekit.Deploy(ctx, sandbox.ProfileFast, topology.Options{Shape: topology.MustShape("star:1"), GTID: golden.Capabilities[flavor.CapGTID]})
		sqlMode, err := t.Primary().Server.Variable(ctx, "sql_mode")
		suitekit.NoFault(err)
		record, err := pool.Take(ctx, t)
		suitekit.NoFault(err)
		work := func() {
			suitekit.NoFault(t.Primary().Server.Exec(ctx, "CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)", "INSERT INTO shop.orders VALUES (1)"))
			suitekit.NoFault(t.WaitCaughtUp(ctx))
		}
		work()
		Expect(record.Restore(ctx, t, []string{"shop"})).To(Succeed(), "nothing is left but a database of the spec's own")
		refused := 0
		for _, l := range leftovers(golden, sqlMode) {
			if l.capability != "" && !golden.Capabilities[l.capability] {
				continue
			}
			By(l.what)
			work()
			suitekit.NoFault(l.do(ctx, t.Nodes[l.node], l.leave, l.leaveIt))
			isLeftover(record.Restore(ctx, t, []string{"shop"}), t.Nodes[l.node].Name, l.what)
			suitekit.NoFault(l.do(ctx, t.Nodes[l.node], l.remove, l.removeIt))
			Expect(record.Restore(ctx, t, []string{"shop"})).To(Succeed(), "it was removed")
			refused++
		}
		work()
		conn, err := t.Primary().Server.Endpoint.OpenDB("shop")
		suitekit.NoFault(err)
		DeferCleanup(conn.Close)
		open, err := conn.BeginTx(ctx, nil)
		suitekit.NoFault(err)
		_, err = open.ExecContext(ctx, "INSERT INTO orders VALUES (2)")
		suitekit.NoFault(err)
		isLeftover(record.Restore(ctx, t, []string{"shop"}), "primary", "a session is open")
		suitekit.NoFault(errors.Join(open.Rollback(), conn.Close()))
		Expect(record.Restore(ctx, t, []string{"shop"})).To(Succeed())
		suitekit.Detail("leftovers refused", "", float64(refused+1))
	})
})

func (l leftover) do(ctx context.Context, n *topology.Node, statements []string, more func(context.Context, *topology.Node) error) error {
	if len(statements) > 0 {
		if err := n.Server.Unlogged(ctx, statements...); err != nil {
			return fmt.Errorf("%s: %w", l.what, err)
		}
	}
	if more != nil {
		return more(ctx, n)
	}
	return nil
}

// isLeftover expects a refusal that names the node and what is left there.
func isLeftover(err error, node, what string) {
	GinkgoHelper()
	var left *pool.LeftoverError
	Expect(errors.As(err, &left)).To(BeTrue(), "expected a topology to be refused for: %s; got %v", what, err)
	Expect(left.Node).To(Equal(node), left.Error())
	Expect(left.What).To(ContainSubstring(what))
}
