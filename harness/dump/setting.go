package dump

import (
	"regexp"
	"slices"
	"strings"
)

// ownVariables are session variables that decide what replicas get, or where what is written counts as coming from.
var ownVariables = []string{"SQL_LOG_BIN", "GTID_NEXT", "GTID_DOMAIN_ID", "GTID_SEQ_NO", "SERVER_ID", "BINLOG_FORMAT", "BINLOG_ROW_IMAGE",
	"SKIP_REPLICATION", "PSEUDO_THREAD_ID", "PSEUDO_SLAVE_MODE", "PSEUDO_REPLICA_MODE", "SQL_LOG_OFF", "BINLOG_DIRECT_NON_TRANSACTIONAL_UPDATES",
	"BINLOG_ROW_VALUE_OPTIONS", "ORIGINAL_COMMIT_TIMESTAMP", "IMMEDIATE_SERVER_VERSION", "ORIGINAL_SERVER_VERSION", "DEFAULT_MASTER_CONNECTION",
	"DEBUG", "DEBUG_SYNC", "TRANSACTION_READ_ONLY", "TX_READ_ONLY", "SQL_SAFE_UPDATES", "MAX_STATEMENT_TIME", "MAX_EXECUTION_TIME"}

// fileVariables are session variables that name a folder.
var fileVariables = []string{"INNODB_TMPDIR"}

// engineVariables name the storage engine of tables whose definition names none.
var engineVariables = []string{"DEFAULT_STORAGE_ENGINE", "STORAGE_ENGINE", "DEFAULT_TMP_STORAGE_ENGINE", "ENFORCE_STORAGE_ENGINE"}

// nearEngine finds the value of such a variable that is an engine whose tables lie in the data directory, or a default.
// Any other value may be one of another host's tables.
var nearEngine = regexp.MustCompile(`(?i)=\s*['"]?(innodb|myisam|aria|memory|heap|rocksdb|tokudb|archive|csv|merge|blackhole|xtradb|default|null)\b`)

// globals are the scopes that outlive a session.
var globals = []string{"GLOBAL", "PERSIST", "PERSIST_ONLY"}

// assignment is one of a SET's: @a = 1, GLOBAL b = 2.
type assignment struct {
	scope, variable string // in capitals; scope "" is that of the keyword before it in the statement, or the session
	keyword         bool   // the scope holds for what follows as well: SET GLOBAL a = 1, b = 2
	text            string
}

// setting decides on a SET: assignments to global variables and to those that keep statements from replicas are left out.
func (j *Judge) setting(text []byte, list tokens) Decision {
	if list.word(1, "NAMES", "CHARACTER", "CHARSET") {
		d := Decision{Text: string(text), Assignments: []string{string(text)}}
		if i := list.find("COLLATE"); i > 0 { // a collation that another vendor's server knows
			d.Assignments = []string{"SET " + string(text[list[1].start:list[i-1].end])}
		}
		return d
	}
	if list.sequence(1, "GLOBAL", "TRANSACTION") || list.sequence(1, "TRANSACTION") || list.sequence(1, "SESSION", "TRANSACTION") {
		return Decision{Left: []Left{{list.title(), WhyGlobal}}}
	}
	var d Decision
	var kept []string
	scope := ""
	for _, a := range assignments(text, list[1:]) {
		own := a.scope
		switch {
		case a.keyword:
			scope = a.scope
		case a.scope == "" && !strings.HasPrefix(a.variable, "@"): // a user's variable has no scope
			own = scope
		}
		switch {
		case slices.Contains(globals, own):
			why := WhyGlobal
			if strings.Contains(a.variable, "GTID") {
				why = WhyReplication
			}
			d.Left = append(d.Left, Left{"SET " + own + " " + strings.ToLower(a.variable), why})
		case slices.Contains(ownVariables, a.variable):
			d.Left = append(d.Left, Left{"SET " + strings.ToLower(a.variable), WhyLogging})
		case slices.Contains(fileVariables, a.variable):
			d.Left = append(d.Left, Left{"SET " + strings.ToLower(a.variable), WhyFiles})
		case slices.Contains(engineVariables, a.variable) && !nearEngine.MatchString(a.text):
			d.Left = append(d.Left, Left{"SET " + strings.ToLower(a.variable), WhyHosts})
		default:
			kept = append(kept, "SET "+a.text)
		}
	}
	d.Assignments = kept
	switch {
	case len(kept) == 0:
	case len(d.Left) == 0:
		d.Text = string(text)
	default:
		var parts []string
		for _, one := range kept {
			parts = append(parts, strings.TrimPrefix(one, "SET "))
		}
		d.Text = "SET " + strings.Join(parts, ", ")
	}
	return d
}

// assignments splits what follows SET at its commas.
func assignments(text []byte, list tokens) (all []assignment) {
	depth, from := 0, 0
	for i := 0; i <= len(list); i++ {
		if i < len(list) {
			switch {
			case list.symbol(i, "("):
				depth++
			case list.symbol(i, ")"):
				depth--
			}
			if depth > 0 || !list.symbol(i, ",") {
				continue
			}
		}
		if i > from {
			all = append(all, newAssignment(text, list[from:i]))
		}
		from = i + 1
	}
	return all
}

// newAssignment reads [GLOBAL|SESSION|LOCAL|PERSIST|…] name, @@[scope.]name or @name.
func newAssignment(text []byte, list tokens) assignment {
	a := assignment{text: string(text[list[0].start:list[len(list)-1].end])}
	first := list[0].upper()
	if first == "" {
		first = strings.ToUpper(list[0].text)
	}
	switch {
	case slices.Contains(append(globals, "SESSION", "LOCAL"), first) && len(list) > 1 && list[1].kind != symbol:
		a.scope, a.variable, a.keyword = first, strings.ToUpper(list[1].text), true
	case strings.HasPrefix(first, "@@") && list.symbol(1, ".") && len(list) > 2 && slices.Contains(append(globals, "SESSION", "LOCAL"), first[2:]):
		a.scope, a.variable = first[2:], strings.ToUpper(list[2].text)
	case strings.HasPrefix(first, "@@"):
		a.variable = first[2:]
		a.scope = "SESSION"
	default:
		a.variable = first
	}
	return a
}
