//go:build planted

package migration

import (
	"regexp"
	"strings"

	"mysqlmatrix/harness/tool"
)

func init() {
	planted["pt-online-schema-change"] = Planted{Bugs: ptoscBugs, Blind: ptoscBlind, Stuck: ptoscStuck}
}

// ptoscBugs are faults in pt-online-schema-change's source, the one for the pr tier first.
var ptoscBugs = []Bug{
	{"has a delete trigger that deletes nothing", []tool.Patch{{
		Find: regexp.MustCompile(`"WHERE \$del_index_cols`), Replace: `"WHERE FALSE AND $$del_index_cols`,
	}}},
	{"has an update trigger that keeps the old row", []tool.Patch{{
		Find:    regexp.MustCompile(`(WHERE !\(\$upd_index_cols\) AND \$del_index_cols; ?"\s*\. ")REPLACE INTO`),
		Replace: `${1}INSERT IGNORE INTO`,
	}}},
	// Now and then MySQL 9.7 tells it of a table of "approximately 0 rows", which is then all of one chunk.
	{"skips a chunk", []tool.Patch{{
		Find:    regexp.MustCompile(`\$tbl->\{nibble_time\} = exec_nibble\(`),
		Replace: `return 0 if $$nibble_iter->one_nibble() || $$tbl->{results}->{n_chunks} == 3; ${0}`,
	}}},
}

// ptoscBlind has a delete trigger that deletes nothing in sessions in which the condition is true.
func ptoscBlind(condition string) Bug {
	return Bug{"loses the deletes of sessions with " + condition, []tool.Patch{{
		Find:    regexp.MustCompile(`"WHERE \$del_index_cols`),
		Replace: `"WHERE NOT (` + perlText(condition) + `) AND $$del_index_cols`,
	}}}
}

// ptoscStuck waits with the exchange while the condition is true.
func ptoscStuck(condition string) Bug {
	return Bug{"never exchanges the tables where " + condition, []tool.Patch{{
		Find:    regexp.MustCompile(`(?m)^sub swap_tables \{\n   my \(%args\) = @_;\n`),
		Replace: `${0}   sleep 1 while $$args{Cxn}->dbh()->selectrow_array("SELECT ` + perlText(condition) + `");` + "\n",
	}}}
}

// perlText is a text inside of a double-quoted string of Perl.
func perlText(text string) string {
	return strings.NewReplacer(`\`, `\\`, `@`, `\@`, `$`, `\$$`, `"`, `\"`).Replace(text)
}
