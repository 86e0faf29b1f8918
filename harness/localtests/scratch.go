package localtests

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
)

// The account that gh-ost logs in with, and here the script's clients as well.
const (
	upstreamUser     = "gh-ost"
	upstreamPassword = "gh-ost"
	// upstreamAccounts is what every server of a topology for upstream's tests runs when it starts: one
	// statement a line, as init_file wants it (MySQL 5.6). It goes by init_file since dbdeployer's accounts may
	// not grant, and is not logged, so that it works on each node by itself.
	upstreamAccounts = "SET SESSION sql_log_bin = 0;\n" +
		"CREATE DATABASE IF NOT EXISTS test;\n" +
		"CREATE USER '" + upstreamUser + "'@'%' IDENTIFIED BY '" + upstreamPassword + "';\n" +
		"GRANT ALL ON *.* TO '" + upstreamUser + "'@'%' WITH GRANT OPTION;\n"
)

// ServerOptions writes the file that makes what upstream's script expects of its servers, a database and
// accounts, into dir, and returns the option lines for every node of a topology.
func ServerOptions(dir string) ([]string, error) {
	path := filepath.Join(dir, "accounts.sql")
	if err := os.WriteFile(path, []byte(upstreamAccounts), 0o644); err != nil {
		return nil, fmt.Errorf("accounts for gh-ost's own tests: %w", err)
	}
	return []string{"init-file=" + path}, nil
}

// The programs by which upstream's script reaches the servers, and the files of a scratch folder.
const (
	primaryClient     = "gh-ost-test-mysql-master"
	replicaClient     = "gh-ost-test-mysql-replica"
	ghostWrapper      = "gh-ost"
	coordinatesBefore = "before"
	coordinatesAfter  = "after"
	ghostLogFile      = "gh-ost-test.log"
	scriptLogFile     = "upstream.log"
	upstreamTmp       = "/tmp/"
	// ghostSocketFile is the name of gh-ost's socket below the folder that stands for /tmp.
	ghostSocketFile = "gh-ost.test.sock"
	maxSocketPath   = 107 // unix(7), sun_path without its final NUL
)

// scratch prepares the folder that upstream's script runs in: a copy of the script and of the folders to
// test, with every path in /tmp led here, since the script's names there are the same for everybody; and
// the programs that it wants on PATH.
func (u *Script) scratch(ctx context.Context) error {
	if !filepath.IsAbs(u.Workdir) {
		return fmt.Errorf("working folder %q: want an absolute path", u.Workdir)
	}
	if socket := filepath.Join(u.Workdir, ghostSocketFile); len(socket) > maxSocketPath {
		return fmt.Errorf("the path of gh-ost's socket, %s, has more than %d bytes: choose a shorter --run-dir", socket, maxSocketPath)
	}
	tests := filepath.Join(u.Workdir, localtestsDir)
	for _, dir := range []string{tests, u.bin()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := u.copyFile(filepath.Join(u.Tests.Dir, localtestsScript), filepath.Join(tests, localtestsScript)); err != nil {
		return err
	}
	for _, f := range u.Folders {
		if err := u.copyFolder(f.Dir, filepath.Join(tests, f.Name)); err != nil {
			return err
		}
	}
	programs := []func(context.Context) error{u.clients, u.wrapper, u.sysbench}
	for _, write := range programs {
		if err := write(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (u *Script) bin() string { return filepath.Join(u.Workdir, "bin") }

func (u *Script) copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		return u.copyFile(path, filepath.Join(to, name))
	})
}

func (u *Script) copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	moved := strings.ReplaceAll(string(text), upstreamTmp, u.Workdir+"/")
	return os.WriteFile(to, []byte(moved), 0o755)
}

// clients writes the two programs by which the script speaks to the servers: the basedir's own client, as
// dbdeployer's script "use" runs it.
func (u *Script) clients(ctx context.Context) error {
	for name, box := range map[string]*sandbox.Sandbox{primaryClient: u.Primary.Sandbox, replicaClient: u.Replica.Sandbox} {
		client, err := clientProgram(box.Basedir())
		if err != nil {
			return err
		}
		config := filepath.Join(u.Workdir, name+".cnf")
		text := fmt.Sprintf("[client]\nuser=%s\npassword=%s\nprotocol=socket\nsocket=%s\n", upstreamUser, upstreamPassword, box.Socket())
		if filepath.Base(client) == mariadbClient {
			text += "skip-ssl\n" // it reads all the system's certificates whenever it starts; a socket needs none
		}
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
		libraries := "LD_LIBRARY_PATH=" + filepath.Join(box.Basedir(), "lib")
		args := []string{client, "--defaults-file=" + config}
		help, err := proc.Run(ctx, proc.Cmd{Path: client, Args: []string{"--no-defaults", "--help"}, Env: []string{libraries}})
		if err != nil {
			return err
		}
		if commandsOption.MatchString(help) {
			args = append(args, "--commands")
		}
		script := "export " + shellWords(libraries) + "\nexec " + shellWords(args...) + " \"$@\"\n"
		if err := u.program(name, script); err != nil {
			return err
		}
	}
	return nil
}

// commandsOption is an option that MySQL 9.x has, and wants before it takes \G and delimiter from a script.
var commandsOption = regexp.MustCompile(`(?m)^\s+--commands\b`)

// mariadbClient is the name of MariaDB's client since 10.4.
const mariadbClient = "mariadb"

// clientProgram is the command-line client of a basedir. MariaDB 11 calls its own mariadb, and warns of the
// old name.
func clientProgram(basedir string) (string, error) {
	for _, name := range []string{mariadbClient, "mysql"} {
		path := filepath.Join(basedir, "bin", name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("the server's installation has no command-line client, which gh-ost's own tests need")
}

// wrapper writes the gh-ost that the script runs: the one under test, with the primary's binary log
// coordinates noted before it starts and after it ended. It passes signals on, since timeout(1) ends it by
// one, and has gh-ost's exit code.
func (u *Script) wrapper(context.Context) error {
	if u.Bare {
		return u.program(ghostWrapper, "exec "+shellWords(u.Program.Path)+" \"$@\"\n")
	}
	return u.program(ghostWrapper, fmt.Sprintf(`coordinates() {
  %[1]s -ss -e %[2]s >"$1.new" 2>/dev/null && mv "$1.new" "$1"
}
[ -e %[3]s ] || coordinates %[3]s
%[5]s "$@" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break
done
coordinates %[4]s
exit "$code"
`, primaryClient, shellWords(u.Primary.Server.Dialect.ShowBinaryLogStatus), shellWords(filepath.Join(u.Workdir, coordinatesBefore)),
		shellWords(filepath.Join(u.Workdir, coordinatesAfter)), shellWords(u.Program.Path)))
}

// sysbench puts the load generator on PATH, with the libraries that it came with, and gives it the account
// that the script tells it to log in with.
func (u *Script) sysbench(ctx context.Context) error {
	if u.Sysbench == nil {
		return nil
	}
	var exports strings.Builder
	for _, pair := range u.Sysbench.Env {
		exports.WriteString("export " + shellWords(pair) + "\n")
	}
	script := exports.String() + "exec " + shellWords(u.Sysbench.Path) + " \"$@\"\n"
	return errors.Join(u.program(sysbenchFolder, script), u.root(ctx))
}

// root makes the script's root account on the primary, instead of what installations leave under that name
// with passwords of their own.
func (u *Script) root(ctx context.Context) (err error) {
	granter := u.Primary.Sandbox.Endpoint()
	granter.User, granter.Password = upstreamUser, upstreamPassword
	s, err := server.Open(ctx, granter)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	old, err := s.Rows(ctx, "SELECT Host AS host FROM mysql.user WHERE User = 'root' AND Host <> 'localhost'")
	if err != nil {
		return err
	}
	var statements []string
	for _, row := range old {
		statements = append(statements, "DROP USER 'root'@"+server.Quote(row["host"]))
	}
	return s.Unlogged(ctx, append(statements, "CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY 'opensesame'",
		"GRANT ALL ON *.* TO 'root'@'127.0.0.1'")...)
}

func (u *Script) program(name, script string) error {
	return os.WriteFile(filepath.Join(u.bin(), name), []byte("#!/bin/bash\n"+script), 0o755)
}

// shellWords quotes words for a shell script.
func shellWords(words ...string) string {
	quoted := make([]string, 0, len(words))
	for _, word := range words {
		quoted = append(quoted, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	return strings.Join(quoted, " ")
}
