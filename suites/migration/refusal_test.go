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

// refusal is something that a tool must not begin with. Each spec ends with the obstacle taken away, and the
// same job then succeeds: otherwise it could have been refused for any reason.
type refusal struct {
	name  string
	plan  plan
	put   []string // on the primary
	take  []string
	undo  func(SpecContext, *stage) // what statements of the administrator cannot take away
	flags []string                  // for the refused run
	says  string
	full  bool
}

const (
	parent = "CREATE TABLE " + database + ".lines (id BIGINT NOT NULL PRIMARY KEY, order_id BIGINT, FOREIGN KEY (order_id) REFERENCES " + database + ".orders (id)) ENGINE=InnoDB"
	child  = "ALTER TABLE " + database + ".orders ADD CONSTRAINT orders_seq FOREIGN KEY (seq) REFERENCES " + database + ".kinds (id)"
	kinds  = "CREATE TABLE " + database + ".kinds (id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB"
	watch  = "CREATE TRIGGER " + database + ".watch AFTER INSERT ON " + database + ".orders FOR EACH ROW SET @seen = 1"
)

var refusals = map[string][]refusal{
	migration.NameGhost: {
		{name: "a foreign key of another table that refers to it", put: []string{parent}, take: []string{"DROP TABLE " + database + ".lines"}, says: "(?i)found 1 parent-side foreign keys"},
		{
			name: "a foreign key of its own", put: []string{kinds, "INSERT INTO " + database + ".kinds VALUES (0)", child},
			take: []string{"ALTER TABLE " + database + ".orders DROP FOREIGN KEY orders_seq"}, says: "(?i)found 1 child-side foreign keys", full: true,
		},
		{name: "a trigger", put: []string{watch}, take: []string{"DROP TRIGGER " + database + ".watch"}, says: "(?i)found triggers on|Tables with triggers are not supported", full: true},
		{
			name: "a row image that leaves columns out", put: []string{"SET GLOBAL binlog_row_image = 'MINIMAL'"}, take: []string{"SET GLOBAL binlog_row_image = 'FULL'"},
			says: "(?i)only 'FULL' is supported", full: true,
		},
		{
			name: "statements in the binary log", put: []string{"SET GLOBAL binlog_format = 'STATEMENT'"}, take: []string{"SET GLOBAL binlog_format = 'ROW'"},
			says: "(?i)you must be using ROW binlog format", full: true,
		},
		{
			name: "an account with too few privileges", plan: plan{grants: []string{"SELECT, PROCESS, REPLICATION SLAVE ON *.*", "SELECT, INSERT ON " + database + ".*"}},
			undo: everythingAgain, says: "(?i)user has insufficient privileges", full: true,
		},
		{
			name: "a ghost table that is there already", put: []string{"CREATE TABLE " + database + "._orders_gho (id INT NOT NULL PRIMARY KEY)"},
			take: []string{"DROP TABLE " + database + "._orders_gho"}, flags: []string{"--initially-drop-ghost-table=false"}, says: "(?i)table `_orders_gho` already exists. Panicking",
		},
	},
	migration.NamePTOSC: {
		{
			name: "a foreign key of another table that refers to it, with no method given", put: []string{parent}, take: []string{"DROP TABLE " + database + ".lines"},
			says: "(?i)did not specify --alter-foreign-keys-method",
		},
		{name: "a trigger of the kind that it makes", put: []string{watch}, take: []string{"DROP TRIGGER " + database + ".watch"}, says: "(?i)has triggers|triggers.*is not supported"},
		{
			name: "an account with too few privileges", plan: plan{grants: []string{"SELECT, PROCESS, REPLICATION SLAVE ON *.*", "SELECT, INSERT ON " + database + ".*"}},
			undo: everythingAgain, says: "(?i)denied", full: true,
		},
		{
			name: "a table without a key", put: []string{"ALTER TABLE " + database + ".orders DROP PRIMARY KEY, DROP INDEX seq"},
			take: []string{"ALTER TABLE " + database + ".orders ADD PRIMARY KEY (id), ADD INDEX seq (seq)"}, says: "(?i)cannot chunk the original table|does not have a PRIMARY KEY or a unique index", full: true,
		},
	},
}

func everythingAgain(ctx SpecContext, s *stage) { suitekit.NoFault(s.unlimit(ctx)) }

var _ = forTool("refusal", func(tool migration.Tool) {
	mode := disturbed[tool.Name()][0] // what a tool refuses is on the server that it changes
	for _, r := range refusals[tool.Name()] {
		It(fmt.Sprintf("%s: %s is refused, and nothing is changed", mode, r.name), labelsOf(r.full), func(ctx SpecContext) { r.play(ctx, tool, mode) })
	}
	if tool.Name() == migration.NameGhost {
		It(fmt.Sprintf("%s: a trigger is taken along with --include-triggers", mode), Label(cell.LabelFull), func(ctx SpecContext) { withTriggers(ctx, tool, mode) })
	}
})

func (r refusal) play(ctx SpecContext, tool migration.Tool, mode migration.Mode) {
	// A replica would be in the way of a format that it cannot read, and has no part in a refusal.
	r.plan.Shape = topology.MustShape("single")
	s := setUp(ctx, tool, mode, r.plan)
	suitekit.NoFault(s.primary.Exec(ctx, r.put...))
	before, err := content(ctx, s.primary)
	suitekit.NoFault(err)
	s.begin(ctx, r.flags...).fails(ctx, r.says)
	Expect(s.free(ctx)).To(Succeed())
	after, err := content(ctx, s.primary)
	suitekit.NoFault(err)
	Expect(after).To(Equal(before), "the tool refused, and changed something")
	suitekit.NoFault(s.primary.Exec(ctx, r.take...))
	if r.undo != nil {
		r.undo(ctx, s)
	}
	s.begin(ctx).succeed(ctx)
	Expect(s.whole(ctx, changed)).To(Succeed(), "after the obstacle was taken away")
}

// withTriggers changes a table with a trigger by the versions of gh-ost that can take one along.
func withTriggers(ctx SpecContext, tool migration.Tool, mode migration.Mode) {
	s := setUp(ctx, tool, mode, plan{Options: topology.Options{Shape: topology.MustShape("single")}})
	if !s.knows(ctx, "--include-triggers") {
		suitekit.Unsupported(fmt.Sprintf("%s %s has no --include-triggers", tool.Name(), suitekit.Cell().Tool.Version))
	}
	suitekit.NoFault(s.primary.Exec(ctx,
		"CREATE TABLE "+database+".log (id BIGINT NOT NULL) ENGINE=InnoDB",
		"CREATE TRIGGER "+database+".watch AFTER UPDATE ON "+table.String()+" FOR EACH ROW INSERT INTO "+database+".log VALUES (NEW.id)"))
	load := s.traffic(ctx, &traffic{})
	s.begin(ctx, "--include-triggers", "--trigger-suffix=_gho", "--remove-trigger-suffix-if-exists").succeed(ctx)
	Expect(load.halt()).To(Succeed())
	Expect(s.whole(ctx, changed, "trigger watch_gho")).To(Succeed())
	// Every increment went through the trigger once, the old one or the new one.
	var logged int
	suitekit.NoFault(s.primary.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+database+".log").Scan(&logged))
	Expect(logged).To(Equal(s.counts.total()), "the trigger ran once for each increment")
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
