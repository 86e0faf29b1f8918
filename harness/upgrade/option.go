package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
)

// option is one line of the user's my.cnf.
type option struct {
	line        int
	text        string
	name, value string
	bare        bool // without a value
}

// serverGroups are the sections that a server reads; mysqld-8.0 and mariadb-10.11 are among them.
var serverGroups = regexp.MustCompile(`^(mysqld|server|mariadb|mariadbd|mysqld_safe)(-\d+\.\d+)?$`)

// readOptions reads the options that a my.cnf gives a server.
func readOptions(path string) ([]option, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("my.cnf: %w", err)
	}
	var list []option
	inServer := false
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';' || line[0] == '!':
			continue
		case line[0] == '[':
			group := strings.Trim(line, "[] \t")
			inServer = serverGroups.MatchString(group) && group != "mysqld_safe"
			continue
		case !inServer:
			continue
		}
		o := option{line: n, text: line}
		name, value, found := strings.Cut(line, "=")
		o.name, o.value, o.bare = strings.ReplaceAll(strings.TrimSpace(name), "-", "_"), strings.TrimSpace(value), !found
		if i := strings.Index(o.value, " #"); i >= 0 {
			o.value = strings.TrimSpace(o.value[:i])
		}
		o.value = strings.Trim(o.value, `"'`)
		list = append(list, o)
	}
	return list, nil
}

// placed are options whose values name files, hosts, ports or libraries: only their names are tried.
var placed = regexp.MustCompile(`(^|_)(file|dir|path|basename|socket|port|log|home|index)$|^(log_bin|log_error|relay_log|pid_file|bind_address|` +
	`user|chroot|plugin_load.*|early_plugin_load|init_connect|init_slave|init_replica|.*_libs?|report_.*|mysqlx_.*|admin_.*|wsrep_.*|ssl_.*|tls_.*|innodb_undo_directory|loose_.*plugin.*)$`)

// carried are options that decide how a dump or a query is read: the servers run with them.
var carried = regexp.MustCompile(`^(sql_mode|character_set_server|collation_server|explicit_defaults_for_timestamp|default_authentication_plugin|innodb_strict_mode|` +
	`innodb_default_row_format|innodb_large_prefix|innodb_file_format|default_storage_engine|group_concat_max_len|default_collation_for_utf8mb4|default_time_zone|` +
	`show_compatibility_56|optimizer_switch|block_encryption_mode|div_precision_increment|ft_.*|innodb_ft_.*|restrict_fk_on_non_standard_key|old_mode|` +
	`character_set_collations|authentication_policy|mysql_native_password|ansi|sql_require_primary_key|innodb_autoinc_lock_mode|lower_case_table_names)$`)

// tried is what a server says of one option.
type tried struct {
	refused  string // why it does not start with it
	warnings []string
}

var (
	optionError   = regexp.MustCompile(`(?i)\[ERROR\]|unknown (variable|option)|ambiguous option|option .* requires|Error while setting`)
	optionWarning = regexp.MustCompile(`(?i)\[Warning\]`)
	logPrefix     = regexp.MustCompile(`^\S+ \S+ +\d* *`)
)

// try has a server's program read one option, without starting a server.
func (o option) try(ctx context.Context, g *sandbox.Golden, dir string) (tried, error) {
	argument := "--" + o.name
	if !o.bare {
		value := o.value
		if placed.MatchString(o.name) {
			return o.tryName(ctx, g, dir)
		}
		argument += "=" + value
	}
	t, err := run(ctx, g, dir, argument)
	if err != nil || t.refused != "" || len(t.warnings) > 0 {
		return t, err
	}
	// Programs look at the options of plug-ins, InnoDB's among them, only when they start.
	return o.tryName(ctx, g, dir)
}

// tryName asks whether a server knows an option, without its value: the server's own help lists it.
func (o option) tryName(ctx context.Context, g *sandbox.Golden, dir string) (tried, error) {
	output, err := proc.Run(ctx, program(g, dir, "--verbose", "--help"))
	var failed *proc.RunError
	if err != nil && !errors.As(err, &failed) {
		return tried{}, err
	}
	if strings.HasPrefix(o.name, "loose_") {
		return tried{}, nil
	}
	name := prefixes.ReplaceAllString(o.name, "")
	for line := range strings.Lines(output) {
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		first, _, _ = strings.Cut(strings.TrimLeft(first, "-"), "=")
		first, _, _ = strings.Cut(first, "[")
		if known := prefixes.ReplaceAllString(strings.ReplaceAll(strings.TrimRight(first, ","), "-", "_"), ""); known == name || strings.Contains(line, "--"+strings.ReplaceAll(name, "_", "-")) {
			return tried{}, nil
		}
	}
	return tried{refused: "unknown variable '" + o.text + "'"}, nil
}

// prefixes stand before the names of options that are switches.
var prefixes = regexp.MustCompile(`^(skip|enable|disable|maximum)_`)

func program(g *sandbox.Golden, dir string, args ...string) proc.Cmd {
	args = append([]string{"--no-defaults", "--basedir=" + g.Basedir, "--datadir=" + dir, "--user=root"}, args...)
	return proc.Cmd{Path: filepath.Join(g.Basedir, "bin", "mysqld"), Args: args, Dir: dir, Scope: dir,
		Env: []string{"LD_LIBRARY_PATH=" + filepath.Join(g.Basedir, "lib")}}
}

func run(ctx context.Context, g *sandbox.Golden, dir, argument string) (t tried, err error) {
	output, err := proc.Run(ctx, program(g, dir, argument, "--verbose", "--help"))
	var failed *proc.RunError
	if err != nil && !errors.As(err, &failed) || ctx.Err() != nil {
		return t, err
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(logPrefix.ReplaceAllString(strings.TrimSpace(line), ""))
		about := strings.Contains(strings.ReplaceAll(line, "-", "_"), name)
		switch {
		case err != nil && optionError.MatchString(line) && t.refused == "" && !strings.Contains(line, "Aborting"):
			t.refused = line
		case optionWarning.MatchString(line) && about:
			t.warnings = append(t.warnings, line)
		}
	}
	if err != nil && t.refused == "" {
		t.refused = proc.Tail(output, 2)
	}
	return t, nil
}

// options tries every line of the my.cnf on both servers, one by one: a server stops at the first that it does not take.
// It returns the lines that both servers of the comparison run with.
func (r *runner) options(ctx context.Context) (old, new []string, err error) {
	if r.MyCnf == "" {
		return nil, nil, nil
	}
	list, err := readOptions(r.MyCnf)
	if err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(r.Dir, "options")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	for _, o := range list {
		a, err := o.try(ctx, r.from(), dir)
		if err != nil {
			return nil, nil, err
		}
		b, err := o.try(ctx, r.to(), dir)
		if err != nil {
			return nil, nil, err
		}
		r.judge(o, a, b)
		if carried.MatchString(strings.TrimPrefix(o.name, "loose_")) {
			if a.refused == "" {
				old = append(old, "loose-"+strings.TrimPrefix(o.text, "loose-"))
			}
			if b.refused == "" {
				new = append(new, "loose-"+strings.TrimPrefix(o.text, "loose-"))
			}
		}
	}
	return old, new, nil
}

// judge makes a finding of what the servers say of an option.
func (r *runner) judge(o option, old, new tried) {
	f := Finding{Object: Object{Kind: "option", Name: o.name}, File: r.MyCnf, Line: o.line, Text: o.text}
	switch {
	case new.refused != "" && old.refused != "":
		f.Grade, f.What, f.Old, f.New = Broken, "neither version starts with it", old.refused, new.refused
	case new.refused != "":
		f.Grade, f.What, f.New = Breaks, "the new version does not start with it", new.refused
		f.Cause = "the new version has no such variable"
		f.Todo = "take the line out, or write the new variable's name"
		if !strings.Contains(strings.ToLower(new.refused), "unknown") {
			f.Cause, f.Todo = "the variable does not take this value any more", "change the value"
		}
		for _, successor := range successors {
			if successor.name.MatchString(o.name) {
				f.Todo = successor.todo
			}
		}
	case len(new.warnings) > len(old.warnings):
		f.Grade, f.What, f.New = Note, "the new version starts with it, and warns", strings.Join(new.warnings, "; ")
	default:
		return
	}
	r.all.add("my.cnf", f)
}

// successors are what replaces removed variables.
var successors = []struct {
	name *regexp.Regexp
	todo string
}{
	{regexp.MustCompile(`^query_cache`), "take the line out: there is no query cache any more"},
	{regexp.MustCompile(`^innodb_(file_format|large_prefix)`), "take the line out: InnoDB has one file format"},
	{regexp.MustCompile(`^log_warnings$`), "log_error_verbosity"},
	{regexp.MustCompile(`^default_authentication_plugin$`), "authentication_policy"},
	{regexp.MustCompile(`^expire_logs_days$`), "binlog_expire_logs_seconds"},
	{regexp.MustCompile(`^tx_isolation$`), "transaction_isolation"},
	{regexp.MustCompile(`^sql_mode$`), "take the modes out that the new version no longer has"},
	{regexp.MustCompile(`^(master|relay_log)_info_repository$`), "take the line out: the tables are used always"},
	{regexp.MustCompile(`slave`), "the variable's name has replica in place of slave"},
	{regexp.MustCompile(`^(sync_frm|multi_range_count|secure_auth|old_passwords|thread_concurrency|innodb_additional_mem_pool_size|innodb_locks_unsafe_for_binlog|innodb_undo_logs|metadata_locks_.*|max_tmp_tables|ignore_builtin_innodb|bootstrap|partition|skip_symbolic_links|log_syslog.*|date_format|datetime_format|time_format|ignore_db_dirs|tx_read_only|internal_tmp_disk_storage_engine|innodb_stats_sample_pages)$`), "take the line out"},
}
