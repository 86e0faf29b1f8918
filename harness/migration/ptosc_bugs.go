package migration

import (
	"regexp"

	"mysqlmatrix/harness/tool"
)

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
