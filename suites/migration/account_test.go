package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// The account that only the tool under test uses, so that its sessions are told from the suite's.
const (
	toolUser, toolPassword = "osc", "osc"
	// toolAccount is the account as statements name it.
	toolAccount = "'" + toolUser + "'@'127.%'"
	// everything is what the account may do unless a spec limits it.
	everything = "ALL PRIVILEGES ON *.*"
)

// account is the tool's account on a server.
func (f *fixture) account(ep server.Endpoint) server.Endpoint {
	ep.User, ep.Password = toolUser, toolPassword
	return ep
}

// createAccount makes the tool's account on every server, unlogged: a binary log with a password is not packed for
// a bug report.
func (f *fixture) createAccount(ctx context.Context, grants []string) error {
	if grants == nil {
		grants = []string{everything}
	}
	identified := " IDENTIFIED BY '"
	if f.primary.Endpoint.TLS && f.primary.Dialect.PublicKeyOption != "" {
		identified = " IDENTIFIED WITH caching_sha2_password BY '"
	}
	statements := []string{"SET SESSION sql_log_bin = 0", "CREATE USER " + toolAccount + identified + toolPassword + "'"}
	for _, grant := range grants {
		statements = append(statements, "GRANT "+grant+" TO "+toolAccount)
	}
	for _, n := range f.Nodes {
		if err := asGranter(ctx, n, statements...); err != nil {
			return err
		}
	}
	return nil
}

// dropAccount removes the tool's account, so that the servers may be used again. Where it fails, they are not.
func (f *fixture) dropAccount(ctx context.Context) {
	if CurrentSpecReport().Failed() {
		return
	}
	for _, n := range f.Nodes {
		if err := asGranter(ctx, n, "SET SESSION sql_log_bin = 0", "DROP USER "+toolAccount); err != nil {
			AddReportEntry("account of the tool", err.Error())
		}
	}
}

// limitAccount leaves the tool's account what the tools' manuals ask for, and nothing that lets it write to a server
// that is read-only. Privileges have other names from server to server: each takes those that it knows.
func (f *fixture) limitAccount(ctx context.Context) error {
	rows, err := f.primary.Rows(ctx, "SHOW PRIVILEGES")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, row := range rows {
		known[strings.ToUpper(row["Privilege"])] = true
	}
	global := append([]string{"PROCESS", "SELECT", "REPLICATION SLAVE"}, f.tool.Privileges...)
	for _, one := range []string{"REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR", "REPLICATION MASTER ADMIN"} {
		if known[one] {
			global = append(global, one)
		}
	}
	if !known["REPLICATION CLIENT"] {
		global = slices.Concat(global, f.tool.InsteadOfReplicationClient)
	}
	return asGranter(ctx, f.Primary(),
		"REVOKE ALL PRIVILEGES, GRANT OPTION FROM "+toolAccount,
		"GRANT "+strings.Join(global, ", ")+" ON *.* TO "+toolAccount,
		"GRANT ALL PRIVILEGES ON "+server.Ident(database)+".* TO "+toolAccount,
	)
}

// unlimitAccount gives the tool's account everything again.
func (f *fixture) unlimitAccount(ctx context.Context) error {
	return asGranter(ctx, f.Primary(), "GRANT "+everything+" TO "+toolAccount)
}

// asGranter runs statements about accounts in one session.
func asGranter(ctx context.Context, n *topology.Node, statements ...string) (err error) {
	granter, err := granterOf(ctx, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, granter.Close()) }()
	granter.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := granter.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("node %s: account of the tool: %s: %w", n.Name, statement, err)
		}
	}
	return nil
}

// granterOf connects as one who may grant: the administrator, where the golden sandbox made it so, or root, who
// is at 127.0.0.1 or at localhost by the installation.
func granterOf(ctx context.Context, n *topology.Node) (*sql.DB, error) {
	admin := n.Server.Endpoint.Config("")
	root, local := admin.Clone(), admin.Clone()
	root.User, local.User = "root", "root"
	local.Net, local.Addr = "unix", n.Sandbox.Socket()
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
