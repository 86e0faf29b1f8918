package dump

import (
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Why a statement, or a part of one, plays no part.
const (
	WhyReplication = "replication is the sandbox's own"
	WhyAccounts    = "accounts are the sandbox's own"
	WhyGlobal      = "global state is the sandbox's own"
	WhyFiles       = "no files outside of the sandbox"
	WhyPlugins     = "no plug-ins"
	WhyHosts       = "no other hosts"
	WhySystem      = "system databases play no part"
	WhyIndirect    = "what it runs cannot be told from its text"
	WhyLogging     = "every statement has to reach the replicas"
	WhyIdle        = "it changes no table"
	WhyEvents      = "an event would write to tables while they are compared"
	WhyKeys        = "the sandbox has no keys to encrypt with"
	WhyUnknown     = "this server does not know it"
)

// Decision is what becomes of a statement.
type Decision struct {
	Text string // what is to run; "" is nothing
	// Left is what was left out, each part with the reason.
	Left []Left
	// Assignments are a SET's, to be tried one by one when the server refuses it as a whole.
	Assignments []string
	// Unknown says that it begins with no known word: the server is to be asked whether it is SQL at all.
	Unknown bool
	// Idle says that it writes to no table.
	Idle bool
	// Wrong is why the dump cannot be loaded as it is: the statement can be neither run nor passed over.
	Wrong string
}

// Left is a statement, or a part of one, that plays no part. What has no values in it: they may be secrets.
type Left struct{ What, Why string }

// Judge decides which statements of a dump run in a sandbox.
type Judge struct {
	Flavor flavor.Flavor
	system string // the system database that the dump is in, "" for others
}

// headTokens is how much of a long statement is looked at.
const headTokens = 24

// object is what follows the verb of a rule; verb alone is every object.
type rule struct{ verb, object, why string }

// rules are statements that never run.
var rules = []rule{
	{"CHANGE", "", WhyReplication}, {"STOP", "", WhyReplication}, {"RESET", "", WhyReplication}, {"PURGE", "", WhyReplication},
	{"BINLOG", "", WhyReplication}, {"START", "SLAVE", WhyReplication}, {"START", "REPLICA", WhyReplication}, {"START", "ALL", WhyReplication},
	{"START", "GROUP_REPLICATION", WhyReplication}, {"SLAVE", "", WhyReplication},
	{"GRANT", "", WhyAccounts}, {"REVOKE", "", WhyAccounts}, {"CREATE", "USER", WhyAccounts}, {"ALTER", "USER", WhyAccounts},
	{"DROP", "USER", WhyAccounts}, {"RENAME", "USER", WhyAccounts}, {"CREATE", "ROLE", WhyAccounts}, {"DROP", "ROLE", WhyAccounts},
	{"SET", "PASSWORD", WhyAccounts}, {"SET", "ROLE", WhyAccounts}, {"SET", "DEFAULT", WhyAccounts},
	{"FLUSH", "", WhyGlobal}, {"KILL", "", WhyGlobal}, {"SHUTDOWN", "", WhyGlobal}, {"RESTART", "", WhyGlobal}, {"ALTER", "INSTANCE", WhyGlobal},
	{"LOCK", "INSTANCE", WhyGlobal}, {"UNLOCK", "INSTANCE", WhyGlobal}, {"CREATE", "RESOURCE", WhyGlobal}, {"ALTER", "RESOURCE", WhyGlobal},
	{"DROP", "RESOURCE", WhyGlobal}, {"SET", "RESOURCE", WhyGlobal}, {"CREATE", "REFERENCE", WhyGlobal}, {"DROP", "REFERENCE", WhyGlobal},
	{"CACHE", "", WhyGlobal}, {"LOAD", "INDEX", WhyGlobal}, {"XA", "", WhyGlobal}, {"SET", "STATEMENT", WhyGlobal},
	{"CREATE", "TABLESPACE", WhyFiles}, {"ALTER", "TABLESPACE", WhyFiles}, {"DROP", "TABLESPACE", WhyFiles}, {"CREATE", "UNDO", WhyFiles},
	{"ALTER", "UNDO", WhyFiles}, {"DROP", "UNDO", WhyFiles}, {"CREATE", "LOGFILE", WhyFiles}, {"ALTER", "LOGFILE", WhyFiles},
	{"DROP", "LOGFILE", WhyFiles}, {"CLONE", "", WhyHosts}, {"BACKUP", "", WhyFiles}, {"IMPORT", "", WhyFiles},
	{"CREATE", "SERVER", WhyHosts}, {"ALTER", "SERVER", WhyHosts}, {"DROP", "SERVER", WhyHosts},
	{"CREATE", "LIBRARY", WhyPlugins}, {"ALTER", "LIBRARY", WhyPlugins}, {"DROP", "LIBRARY", WhyPlugins},
	{"INSTALL", "", WhyPlugins}, {"UNINSTALL", "", WhyPlugins},
	{"CREATE", "EVENT", WhyEvents}, {"ALTER", "EVENT", WhyEvents}, {"DROP", "EVENT", WhyEvents},
	{"BEGIN", "NOT", WhyIndirect}, // MariaDB's block outside of a routine
	{"CALL", "", WhyIndirect}, {"PREPARE", "", WhyIndirect}, {"EXECUTE", "", WhyIndirect}, {"DEALLOCATE", "", WhyIndirect},
	{"SHOW", "", WhyIdle}, {"EXPLAIN", "", WhyIdle}, {"DESCRIBE", "", WhyIdle}, {"DESC", "", WhyIdle}, {"HELP", "", WhyIdle},
	{"HANDLER", "", WhyIdle}, {"ANALYZE", "", WhyIdle}, {"OPTIMIZE", "", WhyIdle}, {"CHECK", "", WhyIdle}, {"CHECKSUM", "", WhyIdle},
	{"REPAIR", "", WhyIdle},
}

// runs are the verbs of statements that run; those of definitions only with the objects below.
var runs = []string{"INSERT", "REPLACE", "UPDATE", "DELETE", "TRUNCATE", "LOAD", "RENAME", "LOCK", "UNLOCK", "START", "BEGIN", "COMMIT",
	"ROLLBACK", "SAVEPOINT", "RELEASE", "SELECT", "WITH", "USE", "VALUES", "DO"}

// definitions are the verbs that are followed by an object, and objects what they may make.
var (
	definitions = []string{"CREATE", "ALTER", "DROP"}
	objects     = []string{"TABLE", "DATABASE", "SCHEMA", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "INDEX", "SEQUENCE", "PACKAGE"}
	others      = []string{"USER", "ROLE", "SERVER", "TABLESPACE", "UNDO", "LOGFILE", "INSTANCE", "RESOURCE", "REFERENCE", "LIBRARY"}
)

// systemDatabases are the servers' own.
var systemDatabases = []string{"mysql", "sys", "information_schema", "performance_schema", "ndbinfo"}

// IsSystem says whether a database is the server's own.
func IsSystem(database string) bool {
	return slices.Contains(systemDatabases, strings.ToLower(database))
}

// subject is a statement's verb and, for those that have one, its object.
func (l tokens) subject() (verb, object string) {
	if len(l) == 0 {
		return "", ""
	}
	verb = l[0].upper()
	if !slices.Contains(definitions, verb) {
		if len(l) > 1 {
			object = l[1].upper()
		}
		return verb, object
	}
	for _, t := range l[1:] {
		if o := t.upper(); slices.Contains(objects, o) || slices.Contains(others, o) {
			return verb, o
		}
	}
	return verb, ""
}

func isRoutine(object string) bool {
	return slices.Contains([]string{"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"}, object)
}

// idle are the verbs of statements that run, and write to no table.
var idle = []string{"SELECT", "VALUES", "DO"}

// rows are statements that can be long, and whose beginning says all.
var rows = []string{"INSERT", "REPLACE"}

// Decide looks at a statement.
func (j *Judge) Decide(st Statement, modes Modes) Decision {
	list := tokenize(st.Text, j.Flavor, modes, headTokens)
	if len(list) == 0 {
		return Decision{} // comments that this server passes over
	}
	verb, object := list.subject()
	if len(list) == headTokens && !slices.Contains(rows, verb) {
		list = tokenize(st.Text, j.Flavor, modes, 0)
		verb, object = list.subject()
	}
	if verb == "SET" && !matchesRule(verb, object) {
		return j.setting(st.Text, list)
	}
	if verb == "LOAD" && (object == "DATA" || object == "XML") && j.system == "" {
		return Decision{Wrong: "it takes rows from another file, which is not read: make the dump with rows as INSERT"}
	}
	if why := j.refuse(list, verb, object); why != "" {
		return Decision{Left: []Left{{list.title(), why}}}
	}
	known := slices.Contains(runs, verb) || slices.Contains(definitions, verb) && slices.Contains(objects, object)
	d := Decision{Text: string(st.Text), Unknown: !known, Idle: slices.Contains(idle, verb)}
	if slices.Contains(definitions, verb) {
		d.Text, d.Left = rewrite(st.Text, list, object)
	}
	return d
}

func matchesRule(verb, object string) bool { return ruleFor(verb, object) != "" }

func ruleFor(verb, object string) string {
	for _, r := range rules {
		if r.verb == verb && (r.object == "" || r.object == object) {
			return r.why
		}
	}
	return ""
}

// refuse is why a statement must not run.
func (j *Judge) refuse(list tokens, verb, object string) string {
	if verb == "USE" && len(list) > 1 {
		j.system = ""
		if IsSystem(list[1].text) {
			j.system = list[1].text
			return WhySystem
		}
		return ""
	}
	if why := ruleFor(verb, object); why != "" {
		return why
	}
	inDatabase := object == "DATABASE" || object == "SCHEMA"
	if j.system != "" && !inDatabase && !slices.Contains([]string{"UNLOCK", "COMMIT", "ROLLBACK"}, verb) {
		return WhySystem
	}
	if namesSystem(list, inDatabase) {
		return WhySystem
	}
	if slices.Contains(rows, verb) {
		return ""
	}
	if !slices.Contains(reads, object) && verb != "SELECT" && list.inDatabase("mysql") {
		return WhySystem
	}
	return harmful(list)
}

// reads are objects that may name the servers' own databases, since they only read them.
var reads = []string{"VIEW"}

// inDatabase says whether a name in the database stands anywhere.
func (l tokens) inDatabase(database string) bool {
	for i, t := range l {
		if (t.kind == word || t.kind == name) && strings.EqualFold(t.text, database) && l.symbol(i+1, ".") && !l.symbol(i-1, ".") {
			return true
		}
	}
	return false
}

// namesSystem says whether a statement's beginning names a system database.
func namesSystem(list tokens, alone bool) bool {
	for i, t := range list[:min(len(list), headTokens)] {
		if (t.kind == word || t.kind == name) && IsSystem(t.text) && (alone || list.symbol(i+1, ".") && !list.symbol(i-1, ".")) {
			return true
		}
	}
	return false
}

// harms are words that must not stand anywhere in a statement that is not made of rows, not in a routine's body either.
var harms = []struct {
	words []string
	why   string
}{
	{[]string{"CHANGE", "MASTER"}, WhyReplication}, {[]string{"CHANGE", "REPLICATION"}, WhyReplication},
	{[]string{"START", "SLAVE"}, WhyReplication}, {[]string{"START", "REPLICA"}, WhyReplication},
	{[]string{"START", "GROUP_REPLICATION"}, WhyReplication}, {[]string{"STOP", "SLAVE"}, WhyReplication}, {[]string{"STOP", "REPLICA"}, WhyReplication},
	{[]string{"RESET", "MASTER"}, WhyReplication}, {[]string{"RESET", "SLAVE"}, WhyReplication}, {[]string{"RESET", "REPLICA"}, WhyReplication},
	{[]string{"ASYNCHRONOUS_CONNECTION_FAILOVER_ADD_SOURCE"}, WhyReplication}, {[]string{"ASYNCHRONOUS_CONNECTION_FAILOVER_ADD_MANAGED"}, WhyReplication},
	{[]string{"GLOBAL", "TRANSACTION"}, WhyGlobal},
	{[]string{"INTO", "OUTFILE"}, WhyFiles}, {[]string{"INTO", "DUMPFILE"}, WhyFiles},
	{[]string{"INSTALL", "PLUGIN"}, WhyPlugins}, {[]string{"INSTALL", "COMPONENT"}, WhyPlugins},
	{[]string{"SQL_LOG_BIN"}, WhyLogging}, {[]string{"CREATE", "USER"}, WhyAccounts}, {[]string{"DROP", "USER"}, WhyAccounts},
	{[]string{"ALTER", "USER"}, WhyAccounts}, {[]string{"EXECUTE", "IMMEDIATE"}, WhyIndirect},
}

// farEngines are storage engines whose tables lie on other hosts.
var farEngines = []string{"FEDERATED", "FEDERATEDX", "SPIDER", "CONNECT", "S3", "NDB", "NDBCLUSTER", "SPHINX", "CASSANDRA", "VIDEX"}

func harmful(list tokens) string {
	for _, harm := range harms {
		if list.find(harm.words...) >= 0 {
			return harm.why
		}
	}
	for i, t := range list {
		if t.upper() == "SONAME" && i+1 < len(list) && list[i+1].kind == literal {
			return WhyPlugins
		}
		if (t.upper() == "ENGINE" || t.upper() == "TYPE") && farEngine(list, i+1) {
			return WhyHosts
		}
		// SET GLOBAL a = 1, or SET @a = 1, GLOBAL b = 2, in a routine's body.
		if list.word(i, globals...) && list.named(i+1) && assigned(list, i+1) {
			return WhyGlobal
		}
		if global := strings.HasPrefix(t.upper(), "@@GLOBAL") || strings.HasPrefix(t.upper(), "@@PERSIST"); global && assigned(list, i) {
			return WhyGlobal
		}
	}
	return ""
}

func farEngine(list tokens, i int) bool {
	if list.symbol(i, "=") {
		i++
	}
	return i < len(list) && slices.Contains(farEngines, strings.ToUpper(list[i].text))
}

// named says whether the token at i is a name.
func (l tokens) named(i int) bool { return i < len(l) && (l[i].kind == word || l[i].kind == name) }

// assigned says whether the variable at i (@@GLOBAL.x) is given a value.
func assigned(list tokens, i int) bool {
	i++
	for list.symbol(i, ".") {
		i += 2
	}
	return list.symbol(i, "=") || list.symbol(i, ":") && list.symbol(i+1, "=")
}

// titleWords is how many words of a statement tell which one it is.
const titleWords = 3

// title is a statement's first words, without values.
func (l tokens) title() string {
	var words []string
	for _, t := range l {
		if t.kind != word && t.kind != name || len(words) == titleWords {
			break
		}
		text := t.text
		if t.kind == name {
			text = "`" + text + "`"
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}
