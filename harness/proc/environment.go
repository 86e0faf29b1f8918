package proc

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// OptionsEnv is the environment variable that holds what Vary was given, as a JSON array. This process's programs get
// it, and so do those of the suites that it starts.
const OptionsEnv = "MATRIX_ENV"

// noHome is a home without option files: ~/.my.cnf, ~/.mylogin.cnf and ~/.percona-toolkit.conf divert programs.
const noHome = "/nonexistent"

// fixed are the variables on which what a server or a tool does depends: a TIMESTAMP by the zone, a message by the locale.
var fixed = []string{"LC_ALL=C.UTF-8", "TZ=UTC"}

// passed are the caller's variables that every program gets: where programs lie, and where temporary files do.
var passed = []string{"PATH", "TMPDIR", ScopeEnv, OptionsEnv}

// Umask is what Main sets for itself and thereby for all that it starts.
const Umask = 0o022

// Environment is what a program is given: made, not inherited. The caller's MYSQL_HOST, TZ or LD_PRELOAD would otherwise
// change what a server, a client or a tool does. Vary adds to it.
func Environment() []string {
	env := append([]string{"HOME=" + noHome}, fixed...)
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return append(env, Varied()...)
}

// inherited is the caller's environment, for Cmd.Inherit.
func inherited() []string { return append(os.Environ(), fixed...) }

// Interactive is Environment for a client that a user sits at: with the terminal, the home for its history, and the locale.
// A login file there (mysql_config_editor's) would divert it, so that it is told of another.
func Interactive() []string {
	env := Environment()
	locale := false
	for _, name := range []string{"TERM", "COLUMNS", "LINES", "HOME", "USER", "PAGER", "LESS", "EDITOR", "VISUAL", "LANG", "LC_CTYPE", "LC_ALL"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
			locale = locale || name == "LANG" || name == "LC_CTYPE"
		}
	}
	if _, ok := os.LookupEnv("LC_ALL"); !ok && locale {
		env = slices.DeleteFunc(env, func(pair string) bool { return strings.HasPrefix(pair, "LC_ALL=") })
	}
	return append(env, "MYSQL_TEST_LOGIN_FILE="+noHome)
}

// Settings says for a report what Environment fixes, with the umask.
func Settings() string {
	return strings.Join(slices.Concat([]string{"HOME=" + noHome}, fixed, []string{fmt.Sprintf("umask=%04o", Umask)}), " ")
}

// diverting are the variables that lead clients to other servers than they are told of.
var diverting = []string{"MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT", "MARIADB_HOST", "MARIADB_TCP_PORT", "MARIADB_UNIX_PORT"}

var variable = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

// Vary gives all programs from now on these variables (NAME=VALUE) as well, in place of those that Environment has. It
// refuses what is no variable, those that lead clients elsewhere and those that the harness itself needs.
func Vary(options []string) error {
	for _, option := range options {
		name := variable.FindStringSubmatch(option)
		if name == nil {
			return fmt.Errorf("environment variable %q: want NAME=VALUE", option)
		}
		if slices.Contains(diverting, name[1]) {
			return fmt.Errorf("environment variable %q: it leads clients to other servers than the sandboxes: leave it out", option)
		}
		if strings.HasPrefix(name[1], "MATRIX_") || strings.ContainsRune(option, 0) {
			return fmt.Errorf("environment variable %q: the harness needs it itself", option)
		}
	}
	text, err := json.Marshal(options)
	if err != nil {
		return err
	}
	return os.Setenv(OptionsEnv, string(text))
}

// Varied is what Vary was given, here or by the process that started this one.
func Varied() []string {
	var options []string
	// Only Vary writes it; what somebody else put there is none.
	if json.Unmarshal([]byte(os.Getenv(OptionsEnv)), &options) != nil {
		return nil
	}
	return options
}
