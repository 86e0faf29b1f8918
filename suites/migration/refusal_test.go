package migration_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// obstacle is something that some tools refuse to work with. Each spec ends with the obstacle taken away, and the
// same job then succeeds: otherwise it could have been refused for any reason.
type obstacle struct {
	what   string // "a trigger"
	is     migration.Case
	setup  setup
	add    func(*migration.Descriptor) []string // statements on the primary
	remove func(*migration.Descriptor) []string
	undo   func(SpecContext, *fixture) // what statements of the administrator cannot take away
	inPR   bool                        // in the pr tier
}

const (
	parent = "CREATE TABLE " + database + ".lines (id BIGINT NOT NULL PRIMARY KEY, order_id BIGINT, FOREIGN KEY (order_id) REFERENCES " + database + ".orders (id)) ENGINE=InnoDB"
	child  = "ALTER TABLE " + database + ".orders ADD CONSTRAINT orders_seq FOREIGN KEY (seq) REFERENCES " + database + ".kinds (id)"
	kinds  = "CREATE TABLE " + database + ".kinds (id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB"
	watch  = "CREATE TRIGGER " + database + ".watch AFTER INSERT ON " + database + ".orders FOR EACH ROW SET @seen = 1"
)

// statements are the same for every tool.
func statements(list ...string) func(*migration.Descriptor) []string {
	return func(*migration.Descriptor) []string { return list }
}

var obstacles = []obstacle{
	{
		what: "a table that a foreign key refers to", is: migration.CaseReferenced, inPR: true,
		add: statements(parent), remove: statements("DROP TABLE " + database + ".lines"),
	},
	{
		what: "a table with a foreign key", is: migration.CaseForeignKey,
		add:    statements(kinds, "INSERT INTO "+database+".kinds VALUES (0)", child),
		remove: statements("ALTER TABLE " + database + ".orders DROP FOREIGN KEY orders_seq"),
	},
	{
		what: "a table with a trigger", is: migration.CaseTrigger, inPR: true,
		add: statements(watch), remove: statements("DROP TRIGGER " + database + ".watch"),
	},
	{
		what: "a row image without all columns", is: migration.CasePartialRowImage,
		add: statements("SET GLOBAL binlog_row_image = 'MINIMAL'"), remove: statements("SET GLOBAL binlog_row_image = 'FULL'"),
	},
	{
		what: "statements in the binary log", is: migration.CaseStatementFormat,
		add: statements("SET GLOBAL binlog_format = 'STATEMENT'"), remove: statements("SET GLOBAL binlog_format = 'ROW'"),
	},
	{
		what: "an account with too few privileges", is: migration.CaseFewPrivileges,
		setup: setup{grants: []string{"SELECT, PROCESS, REPLICATION SLAVE ON *.*", "SELECT, INSERT ON " + database + ".*"}},
		undo:  func(ctx SpecContext, f *fixture) { suitekit.NoFault(f.unlimitAccount(ctx)) },
	},
	{
		what: "a table without a key", is: migration.CaseNoKey,
		add:    statements("ALTER TABLE " + database + ".orders DROP PRIMARY KEY, DROP INDEX seq"),
		remove: statements("ALTER TABLE " + database + ".orders ADD PRIMARY KEY (id), ADD INDEX seq (seq)"),
	},
	{
		what: "a table named like its new one", is: migration.CaseExistingNewTable, inPR: true,
		add: func(tool *migration.Descriptor) []string {
			return []string{"CREATE TABLE " + database + "." + tool.Objects.NewTable(table.Name) + " (id INT NOT NULL PRIMARY KEY)"}
		},
		remove: func(tool *migration.Descriptor) []string {
			return []string{"DROP TABLE " + database + "." + tool.Objects.NewTable(table.Name)}
		},
	},
}

var _ = forTool("refusal", func(driver migration.Tool) {
	tool := driver.Describe()
	mode := tool.PrimaryModes[0] // what a tool refuses is on the server that it changes
	for _, o := range obstacles {
		if tool.Case(o.is).Refusal == "" {
			continue
		}
		It(fmt.Sprintf("%s: refuses %s, changes nothing", mode, o.what), labelsOf(!o.inPR), func(ctx SpecContext) { o.isRefused(ctx, driver, mode) })
	}
	if len(tool.KeepTriggers) > 0 {
		It(fmt.Sprintf("%s: keeps a trigger with %s", mode, tool.KeepTriggers[0]), Label(cell.LabelFull), func(ctx SpecContext) { withTriggers(ctx, driver, mode) })
	}
})

func (o obstacle) isRefused(ctx SpecContext, driver migration.Tool, mode migration.Mode) {
	// A replica would disturb a format that it cannot read, and has no part in a refusal.
	o.setup.Shape = topology.MustShape("single")
	f := setUp(ctx, driver, mode, o.setup)
	if o.add != nil {
		suitekit.NoFault(f.primary.Exec(ctx, o.add(f.tool)...))
	}
	before, err := content(ctx, f.primary)
	suitekit.NoFault(err)
	how := f.tool.Case(o.is)
	f.begin(ctx, how.Flags...).fails(ctx, how.Refusal)
	Expect(f.verifyUnlocked(ctx)).To(Succeed())
	after, err := content(ctx, f.primary)
	suitekit.NoFault(err)
	Expect(after).To(Equal(before), "the tool refused, and changed something")
	if o.remove != nil {
		suitekit.NoFault(f.primary.Exec(ctx, o.remove(f.tool)...))
	}
	if o.undo != nil {
		o.undo(ctx, f)
	}
	f.begin(ctx).succeed(ctx)
	Expect(f.verify(ctx, changed)).To(Succeed(), "after the obstacle was taken away")
}

// withTriggers changes a table with a trigger by the versions of a tool that can keep one.
func withTriggers(ctx SpecContext, driver migration.Tool, mode migration.Mode) {
	f := setUp(ctx, driver, mode, setup{Options: topology.Options{Shape: topology.MustShape("single")}})
	f.needs(ctx, f.tool.KeepTriggers[0])
	suitekit.NoFault(f.primary.Exec(ctx,
		"CREATE TABLE "+database+".log (id BIGINT NOT NULL) ENGINE=InnoDB",
		"CREATE TRIGGER "+database+".watch AFTER UPDATE ON "+table.String()+" FOR EACH ROW INSERT INTO "+database+".log VALUES (NEW.id)"))
	load := f.traffic(ctx, &traffic{})
	f.begin(ctx, f.tool.KeepTriggers...).succeed(ctx)
	Expect(load.halt()).To(Succeed())
	Expect(f.verify(ctx, changed, "trigger watch_gho")).To(Succeed())
	// Every increment went through the trigger once, the old one or the new one.
	var logged int
	suitekit.NoFault(f.primary.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+database+".log").Scan(&logged))
	Expect(logged).To(Equal(f.counts.total()), "the trigger ran once for each increment")
}

// content is all that is in the database, as text: every table's definition and checksum, and every trigger.
func content(ctx context.Context, s *server.Server) (string, error) {
	var text strings.Builder
	tables, err := s.Rows(ctx, "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = "+server.Quote(database)+" ORDER BY table_name")
	if err != nil {
		return "", err
	}
	for _, t := range tables {
		definition, err := structure(ctx, s, t["name"])
		if err != nil {
			return "", err
		}
		sum, err := s.Rows(ctx, "CHECKSUM TABLE "+server.Ident(database)+"."+server.Ident(t["name"]))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "%s %s\n%s\n", t["name"], sum[0]["Checksum"], definition)
	}
	triggers, err := s.Rows(ctx, "SELECT trigger_name AS name, action_statement AS body FROM information_schema.triggers WHERE trigger_schema = "+server.Quote(database)+" ORDER BY trigger_name")
	for _, t := range triggers {
		fmt.Fprintf(&text, "trigger %s %s\n", t["name"], t["body"])
	}
	return text.String(), err
}
