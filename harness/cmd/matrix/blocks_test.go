package main

import (
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/rundir"
)

var blockPages = flag.String("blocks", "", "run the commands of the pages of docs/ that this regular expression matches, on real servers: see make blocks")

// pagesThatRun are the pages whose blocks are run, each from its first command to its last.
var pagesThatRun = []string{"docs/quickstart.md", "docs/own-tables.md", "docs/own-upgrade.md", "docs/write-a-scenario.md", "docs/ci.md"}

// readersDump stands for what the pages call dump.sql.
const readersDump = `CREATE DATABASE shop;
USE shop;
CREATE TABLE visit (id INT NOT NULL PRIMARY KEY, page VARCHAR(100) NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=latin1;
INSERT INTO visit VALUES (1,'/'),(2,'/shop'),(3,'/cart');
`

// The commands of the pages for users work as they stand, in a copy of the project: those that need nothing of the reader's.
func TestCommandsOfTheDocsRun(t *testing.T) {
	if *blockPages == "" {
		t.Skip("make blocks runs them, on real servers")
	}
	chosen, err := regexp.Compile(*blockPages)
	if err != nil {
		t.Fatal(err)
	}
	project := copyOfProject(t)
	runs := runFolder(t)
	t.Cleanup(func() { // the commands make a root of run folders of their own, which stays
		root := filepath.Join(runs, filepath.Base(rundir.DefaultDir()))
		nothingLeft(t, root)
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	for _, page := range pagesThatRun {
		if !chosen.MatchString(page) {
			continue
		}
		ran := 0
		for _, b := range blocks(t) {
			if b.page != page || b.language != "bash" {
				continue
			}
			for line := range strings.Lines(b.text) {
				line = strings.TrimSpace(line)
				if why := notRun(line); why != "" {
					t.Logf("%s: %s: not run: %s", page, line, why)
					continue
				}
				ran++
				runAsWritten(t, project, runs, page, line)
			}
		}
		if ran < 2 {
			t.Errorf("%s: only %d commands ran", page, ran)
		}
	}
}

// notRun says why a command of the pages is left out.
func notRun(line string) string {
	switch {
	case line == "":
		return "it is empty"
	case strings.Contains(line, "/path/"), strings.Contains(line, "dir:/"), strings.Contains(line, "/etc/my.cnf"):
		return "it needs a file of the reader's"
	case strings.Contains(line, "20261123"):
		return "it needs a failure"
	case strings.Contains(line, "--all-versions"):
		return "it takes all servers"
	}
	return ""
}

func runAsWritten(t *testing.T, project, runs, page, line string) {
	t.Helper()
	begin := time.Now()
	c := exec.Command("bash", "-c", line)
	c.Dir = project
	c.Env = append(os.Environ(), "TMPDIR="+runs, "MATRIX_CACHE="+cacheOfBlocks())
	output, err := c.CombinedOutput()
	var exit *exec.ExitError
	found := errors.As(err, &exit) && exit.ExitCode() == exitFailed && (strings.Contains(line, "matrix migrate") || strings.Contains(line, "matrix upgrade"))
	if err != nil && !found { // those two exit 1 when they find something
		t.Errorf("%s: %s: %v\n%s", page, line, err, output)
	}
	t.Logf("%s: %s: %.0f s", page, line, time.Since(begin).Seconds())
}

func cacheOfBlocks() string {
	if dir := os.Getenv("MATRIX_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "mysql-matrix")
}

// copyOfProject copies the files that belong to the project, builds it, and puts the reader's beside them.
func copyOfProject(t *testing.T) string {
	t.Helper()
	root, project := projectRoot(t), t.TempDir()
	c := exec.CommandContext(context.Background(), "bash", "-c", `git ls-files -z | xargs -0 cp --parents -t "$0" && make -C "$0" build`, project)
	c.Dir = root
	if output, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for name, text := range map[string]string{"dump.sql": readersDump, "schema.sql": readersDump, "schema/dump.sql": readersDump,
		"slow.log": "use shop;\nSELECT page FROM visit WHERE id = 2;\n", "dump.sql.gz": ""} {
		path := filepath.Join(project, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(project, "dump.sql.gz"))
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(file)
	_, err = w.Write([]byte(readersDump))
	if err := errors.Join(err, w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return project
}
