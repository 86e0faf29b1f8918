package migration

import (
	"regexp"
	"slices"
	"strings"
)

// reasonLines is how many lines of a reason are told.
const reasonLines = 3

// Reason is why a tool gave up, in its own words, by what it printed.
func (d *Descriptor) Reason(output string) string {
	for _, pattern := range d.Failure {
		if all := pattern.FindAllStringSubmatch(output, -1); len(all) > 0 {
			return strings.TrimSpace(all[len(all)-1][1])
		}
	}
	var lines, found []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || d.Noise != nil && d.Noise.MatchString(line) {
			continue
		}
		if d.ReasonWords != nil && d.ReasonWords.MatchString(line) && !slices.Contains(found, line) {
			found = append(found, line)
		}
		lines = append(lines, line)
	}
	if len(found) > 0 {
		lines = found[:min(len(found), reasonLines)]
	}
	return strings.Join(lines[max(0, len(lines)-reasonLines):], " ")
}

// Reserves is which of some options must not be given by a user: they would turn off what a comparison of the tables
// needs, or send the tool elsewhere. "" is none.
func (d *Descriptor) Reserves(options []string) string {
	for i, option := range options {
		if d.ReservedValues != nil && (d.ReservedValues.MatchString(option) || i > 0 && d.ReservedValues.MatchString(options[i-1]+"="+option)) {
			return option
		}
		name, _, _ := strings.Cut(strings.TrimLeft(option, "-"), "=")
		if !strings.HasPrefix(option, "-") || name == "" {
			continue
		}
		for _, reserved := range d.Reserved {
			if name == reserved || d.Abbreviates && abbreviates(name, reserved) {
				return option
			}
		}
		if d.Abbreviates && !strings.HasPrefix(option, "--") && slices.Contains(d.Reserved, option[:2]) {
			return option // -hHOST
		}
	}
	return ""
}

// abbreviates says whether Getopt::Long takes a name for a longer one: --no-swap or --noswap-tables for swap-tables.
func abbreviates(name, full string) bool {
	for _, negation := range []string{"", "no-", "no"} {
		if short, ok := strings.CutPrefix(name, negation); ok && len(short) > 2 && strings.HasPrefix(full, short) {
			return true
		}
	}
	return false
}

var (
	// ghostFatal is how gh-ost gives its reason; some of its reasons are a line of its log again.
	ghostFatal = regexp.MustCompile(`(?m)^.*?\bFATAL (?:[\d-]+ [\d:]+ [A-Z]+ )?(.*)$`)
	// ghostReserved are flags of the harness's own: where, how, and until when.
	ghostReserved = []string{"host", "port", "user", "password", "conf", "database", "table", "alter", "ask-pass", "assume-master-host",
		"master-user", "master-password", "allow-on-master", "test-on-replica", "migrate-on-replica", "execute", "noop",
		"postpone-cut-over-flag-file", "serve-socket-file", "test-on-replica-skip-replica-stop", "version", "help", "check-flag",
		"storage-engine", "force-named-panic", "revert", "ssl-ca", "azure", "gcp", "aliyun-rds", "throttle-http", "throttle-control-replicas", "force-table-names"}
)

var (
	// ptoscError is how pt-online-schema-change tells of a statement that a server refused.
	ptoscError = regexp.MustCompile(`(?m)^.*?(DBD::mysql::\S+ \S+ failed: .*?)(?: \[for Statement.*)?(?: at \S+ line \d+\.?.*)?$`)
	// ptoscNoise are lines that stand around its reason.
	ptoscNoise = regexp.MustCompile("^(#.*|`.*` was not altered\\.|Created plugin from .*|Found \\d+ .*|No (slaves|replicas) found.*|Not checking (slave|replica) lag because .*|" +
		"Will check (slave|replica) lag on:|\\S+ -> \\S+:\\d+|Operation, tries, wait:|(analyze_table|copy_rows|create_triggers|drop_triggers|" +
		"swap_tables|update_foreign_keys), \\d+.*|Altering .*\\.\\.\\.|Altering new table\\.\\.\\.|Creating new table\\.\\.\\.|Created new table .* OK\\.|" +
		"Altered .* OK\\.|.*(Dropp(ing|ed)|Creat(ing|ed)|Copy(ing|ied)|Analyzed|Analyzing|Swapp(ing|ed)) .*|rows copied: .*|Child tables:|" +
		"Exiting due to .*|Cleanup.*|Not dropping .*)$")
	// ptoscReasonWords are the words of its reasons.
	ptoscReasonWords = regexp.MustCompile(`(?i)\b(error|errors|failed|cannot|can't|could not|denied|refus\w*|unsafe|not supported|does not|did not|there is no|` +
		`no such|not exist|unknown|duplicate|invalid|must|has triggers|triggers exist|already has|because|specify|conflict\w*)\b`)
	// ptoscReserved are options of the harness's own.
	ptoscReserved = []string{"host", "h", "-h", "port", "P", "-P", "user", "u", "-u", "password", "p", "-p", "socket", "S", "-S", "defaults-file", "F", "-F",
		"database", "D", "-D", "alter", "config", "plugin", "execute", "dry-run", "swap-tables", "ask-pass", "data-dir",
		"version-check", "version", "help", "pid", "drop-triggers", "where", "check-slave-lag", "check-replica-lag", "new-table-name"}
	// ptoscReservedValues are values by which it would keep its writes from replicas, or connect to another host.
	ptoscReservedValues = regexp.MustCompile(`(?i)\bsql_log_bin\b|\bbinlog_format\b|^--rec[a-z-]*=dsn`)
)
