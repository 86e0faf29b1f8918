package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mounted is a shell script that runs its last arguments, a command, with mounts that only it sees.
type mounted struct {
	script    string
	arguments []string
}

// command is a run of matrix below the mounts. The test is skipped where there are no private mounts.
func (m mounted) command(t *testing.T, runs string, args ...string) *exec.Cmd {
	t.Helper()
	unshare := []string{"-m"}
	if os.Getuid() != 0 {
		unshare = []string{"-r", "-m"}
	}
	if out, err := exec.Command("unshare", append(unshare, "true")...).CombinedOutput(); err != nil {
		t.Skipf("no private mounts on this machine: %v %s", err, out)
	}
	all := append(append(unshare, "sh", "-c", m.script, "sh"), m.arguments...)
	c := exec.Command("unshare", append(append(all, os.Args[0], "--run-dir", runs), args...)...)
	c.Dir, c.Env = projectRoot(t), append(os.Environ(), asMatrix+"=1")
	return c
}

// run returns the exit code and the output.
func (m mounted) run(t *testing.T, runs string, args ...string) (int, string) {
	t.Helper()
	c := m.command(t, runs, args...)
	output, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(output)
}

// readOnly mounts a folder over itself so that nothing in it can be written.
func readOnly(dir string) mounted {
	return mounted{`mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"`, []string{dir}}
}

// noexec mounts a folder over itself so that no program in it can be run.
func noexec(dir string) mounted {
	return mounted{`mount --bind "$1" "$1" && mount -o remount,bind,noexec "$1" && shift && exec "$@"`, []string{dir}}
}

// A cache that somebody else has filled, and that cannot be written, serves; what is not in it is told.
func TestSharedReadOnlyCache(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs, out := runFolder(t), t.TempDir()
	mustRun(t, runs, "fetch", entryName)
	shared, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	code, output := readOnly(shared).run(t, runs, "up", entryName, "--topology", "single")
	exitCodeIs(t, code, 0, output)
	mustRun(t, runs, "down")
	code, output = readOnly(shared).run(t, runs, pseudo(out, "--tool", "embedded", "--focus", "finds the same coordinates")...)
	exitCodeIs(t, code, 0, output, "1 passed")
	code, output = readOnly(shared).run(t, runs, "doctor")
	exitCodeIs(t, code, 0, output)

	empty := t.TempDir()
	for _, args := range [][]string{{"up", entryName}, {"fetch", entryName}, pseudo(filepath.Join(out, "empty"))} {
		code, output = readOnly(empty).run(t, runs, append([]string{"--cache", empty}, args...)...)
		exitCodeIs(t, code, exitErrored, output, "is not in the cache folder "+empty+", which cannot be written: choose another with --cache")
	}
}

// Where programs cannot run it is said beforehand; where none has to, it does not matter.
func TestFoldersWithoutPrograms(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs, other := runFolder(t), t.TempDir()
	const says = "want that programs run in it: its file system is mounted noexec: "
	for _, args := range [][]string{
		{"up", entryName}, pseudo(filepath.Join(other, "out")),
		{"migrate", "--entry", entryName, "--schema", "README.md"}, {"upgrade", "--from", entryName, "--to", entryName, "--schema", "README.md"},
	} {
		code, output := noexec(runs).run(t, runs, args...)
		exitCodeIs(t, code, exitUsage, output, "run folder "+runs+": "+says+"choose another with --run-dir")
		code, output = noexec(other).run(t, runs, append([]string{"--cache", other}, args...)...)
		exitCodeIs(t, code, exitUsage, output, "cache folder "+other+": "+says+"choose another with --cache")
		if strings.Count(output, "\n") > 1 {
			t.Errorf("more than one line:\n%s", output)
		}
	}
	code, output := noexec(runs).run(t, runs, "doctor")
	exitCodeIs(t, code, exitErrored, output, says)

	// Temporary files and results need no programs.
	temporary := noexec(other)
	c := temporary.command(t, runs, pseudo(filepath.Join(other, "out"), "--tool", "embedded", "--focus", "finds the same coordinates")...)
	c.Env = append(c.Env, "TMPDIR="+other)
	text, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "1 passed") {
		t.Errorf("%v\n%s", err, text)
	}
}

// The machine's own option files, which servers and clients read unless they are told not to, change nothing.
func TestOptionFilesOfTheMachine(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs, etc, dir := runFolder(t), t.TempDir(), t.TempDir()
	const options = "[client]\nhost=nowhere.invalid\nno-such-option\n[mysqld]\nno-such-option\n[mysql]\nno-such-option\n" +
		"[mariadb]\nno-such-option\n[mysqladmin]\nno-such-option\n[mysqlbinlog]\nno-such-option\n"
	schema := filepath.Join(dir, "zone.sql")
	for file, text := range map[string]string{filepath.Join(dir, "my.cnf"): options,
		schema: "CREATE TABLE t (id INT PRIMARY KEY, at TIMESTAMP NOT NULL);\nINSERT INTO t VALUES (1, '2024-03-10 02:30:00');\n"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// What cannot be read of the machine's settings is left out of the copy.
	machine := mounted{`mount -t tmpfs none "$1" && { cp -a /etc/. "$1" 2>/dev/null || true; mkdir -p "$1/mysql"; } && cp "$2" "$1/my.cnf" && cp "$2" "$1/mysql/my.cnf" && mount --bind "$1" /etc && shift 2 && exec "$@"`,
		[]string{etc, filepath.Join(dir, "my.cnf")}}
	for _, tool := range []string{"gh-ost", "pt-online-schema-change"} {
		code, output := machine.run(t, runs, "migrate", "--entry", "mariadb-11.8", "--schema", schema, "--tool", tool, "--out", filepath.Join(dir, tool))
		exitCodeIs(t, code, 0, output, "1 table: 1 migrated")
	}
	code, output := machine.run(t, runs, "up", entryName, "--topology", "star:1")
	exitCodeIs(t, code, 0, output)
	code, output = machine.run(t, runs, "use", "replica1", "--", "SELECT 4700 + 11")
	exitCodeIs(t, code, 0, output, "4711")
	mustRun(t, runs, "down")
}
