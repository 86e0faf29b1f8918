package upgrade

import (
	"regexp"
	"strings"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/sandbox"
)

// reaches are words that follow one another in statements that would leave the sandbox: talk to another host, read or write
// a file, load a library, or end the server. They are looked for in the bodies of routines as well.
var reaches = []struct{ words, why string }{
	{"CHANGE MASTER", "it configures replication"}, {"CHANGE REPLICATION", "it configures replication"},
	{"START SLAVE", "it starts replication"}, {"START REPLICA", "it starts replication"}, {"START ALL", "it starts replication"},
	{"STOP SLAVE", "it stops replication"}, {"STOP REPLICA", "it stops replication"}, {"STOP ALL", "it stops replication"},
	{"START GROUP_REPLICATION", "it starts replication"}, {"STOP GROUP_REPLICATION", "it stops replication"},
	{"RESET MASTER", "it resets replication"}, {"RESET SLAVE", "it resets replication"}, {"RESET REPLICA", "it resets replication"},
	{"RESET BINARY", "it resets replication"}, {"RESET PERSIST", "it changes the server's configuration"},
	{"PURGE BINARY", "it deletes binary logs"}, {"PURGE MASTER", "it deletes binary logs"}, {"SQL_LOG_BIN", "it keeps statements from replicas"},
	{"GTID_PURGED", "it changes the set of GTIDs"}, {"GTID_NEXT", "it changes the set of GTIDs"}, {"GTID_SLAVE_POS", "it changes the set of GTIDs"},
	{"CLONE INSTANCE", "it talks to another host"}, {"CLONE LOCAL", "it writes files"}, {"CREATE SERVER", "it names another host"},
	{"ALTER SERVER", "it names another host"}, {"OUTFILE", "it writes a file"}, {"DUMPFILE", "it writes a file"},
	{"INFILE", "it reads a file"}, {"LOAD_FILE", "it reads a file"}, {"DATAFILE", "it writes a file"}, {"BACKUP STAGE", "it locks the server"},
	{"DATA DIRECTORY", "it writes files elsewhere"}, {"INDEX DIRECTORY", "it writes files elsewhere"},
	{"INSTALL PLUGIN", "it loads a library"}, {"INSTALL SONAME", "it loads a library"}, {"INSTALL COMPONENT", "it loads a library"},
	{"UNINSTALL PLUGIN", "it changes plug-ins"}, {"UNINSTALL SONAME", "it changes plug-ins"}, {"UNINSTALL COMPONENT", "it changes plug-ins"},
	{"SONAME", "it loads a library"}, {"SHUTDOWN", "it ends the server"}, {"RESTART", "it ends the server"},
	{"ALTER INSTANCE", "it changes the server"}, {"LOCK INSTANCE", "it locks the server"},
	{"ASYNCHRONOUS_CONNECTION_FAILOVER_ADD_SOURCE", "it names another host"}, {"ASYNCHRONOUS_CONNECTION_FAILOVER_ADD_MANAGED", "it names another host"},
}

// single are words of reaches that are common names: they count only as a statement's first word.
var single = map[string]bool{"SHUTDOWN": true, "RESTART": true}

// farEngines are storage engines whose tables lie on other hosts or in files elsewhere.
var farEngines = []string{"FEDERATED", "FEDERATEDX", "SPIDER", "CONNECT", "S3", "NDB", "NDBCLUSTER"}

// ownVariables are global variables that name files, or on which the harness relies.
var ownVariables = regexp.MustCompile(`(?i)_(file|dir|path|basename|index)$|^(log_output|general_log|slow_query_log|(super_)?read_only|` +
	`event_scheduler|offline_mode|local_infile|init_.*|.*plugin.*|.*_libs?|secure_.*|require_secure_transport|skip_networking|max_.*connections|wsrep_.*)$`)

// reach is why a statement must not run in a sandbox; "" is that it may.
func reach(list []token, schema string) string {
	if len(list) == 0 {
		return ""
	}
	for _, r := range reaches {
		words := strings.Fields(r.words)
		if i := sequence(list, words...); i == 0 || i > 0 && !single[r.words] {
			return r.why
		}
	}
	for i, t := range list {
		if t.is("ENGINE", "TYPE") && i+2 < len(list) {
			engine := list[i+1]
			if engine.text == "=" {
				engine = list[i+2]
			}
			if token(engine).kind != symbol && (token{kind: word, text: engine.text}).is(farEngines...) {
				return "its table lies on another host"
			}
		}
	}
	if why := reachSystem(list, schema); why != "" {
		return why
	}
	return reachVariable(list)
}

// reachVariable looks for a change of a global variable that names a file or that the harness relies on.
func reachVariable(list []token) string {
	for i, t := range list {
		variable := ""
		switch upper := strings.ToUpper(t.text); {
		case t.kind != word:
		case t.is("GLOBAL", "PERSIST", "PERSIST_ONLY") && i+1 < len(list):
			variable = list[i+1].text
		case upper == "@@GLOBAL" || upper == "@@PERSIST" || upper == "@@PERSIST_ONLY":
			if i+3 < len(list) && (list[i+3].text == "=" || list[i+3].text == ":") {
				variable = list[i+2].text
			}
		}
		if ownVariables.MatchString(variable) {
			return "it sets " + variable + ", on which the sandbox relies"
		}
	}
	return ""
}

// writes are the verbs of statements that change what they name.
var writes = []string{"INSERT", "REPLACE", "UPDATE", "DELETE", "TRUNCATE", "CREATE", "ALTER", "DROP", "RENAME", "LOCK", "LOAD"}

// reachSystem looks for a change of a system table, or of an account of the sandbox's own.
func reachSystem(list []token, schema string) string {
	if !list[0].is(writes...) && !list[0].is("GRANT", "REVOKE", "SET") {
		return ""
	}
	object, found := subject(list, schema)
	if found && object.Kind == "account" && ownAccount(object.Name) && !list[0].is("GRANT") {
		return "it changes an account of the sandbox"
	}
	if !list[0].is(writes...) || found && object.Kind == "account" {
		return ""
	}
	if found && (dump.IsSystem(object.Schema) || object.Kind == "database" && dump.IsSystem(object.Name)) {
		return "it changes a system database"
	}
	if list[0].is("UPDATE", "DELETE") {
		for i, t := range list[:min(len(list), 8)] {
			if dump.IsSystem(t.text) && i+1 < len(list) && list[i+1].text == "." {
				return "it changes a system database"
			}
		}
		if dump.IsSystem(schema) {
			return "it changes a system database"
		}
	}
	return ""
}

// ownAccount says whether an account is the server's or the sandbox's own.
func ownAccount(name string) bool {
	user, _, _ := strings.Cut(name, "@")
	switch user {
	case "", "root", sandbox.User, sandbox.User + "_ro", sandbox.User + "_rw", sandbox.ReplicaUser, "mysql.sys", "mysql.session",
		"mysql.infoschema", "mariadb.sys", "PUBLIC", "mysql", "healthcheck", "icp":
		return true
	}
	return strings.HasPrefix(user, "R_") || strings.HasPrefix(user, "msandbox")
}

// indirect says whether what a routine runs cannot be told from its text.
func indirect(list []token) bool {
	for i, t := range list {
		if t.is("PREPARE") || t.is("EXECUTE") && i+1 < len(list) && list[i+1].is("IMMEDIATE") {
			return true
		}
	}
	return false
}
