package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"mysqlmatrix/harness/upgrade"
)

// upgradeCases chooses the cases: go test ./harness/cmd/matrix -run UpgradeCases -upgrade all.
var upgradeCases = flag.String("upgrade", "short", "upgrade cases that run: short, all, or a regular expression on their names")

// upgradeBasedirs names servers by installations in place of matrix.yaml's: mysql-5.7=dir:/path,…
var upgradeBasedirs = flag.String("upgrade-servers", "", "servers in place of those of matrix.yaml, as NAME=ENTRY, separated by commas")

// shortCases are one of each kind: refused in all ways, refused by one, silent, harmless.
var shortCases = []string{"rank-in-routine", "json-duplicate-keys", "mariadb-utf8mb3-harmless"}

const upgradeCaseDir = "../../upgrade/testdata/cases"

// upgradeCase is what a case expects: its file's beginning, line by line.
type upgradeCase struct {
	from, to, ways string
	exit           int
	safe           string
	finds          []expectedFinding
}

// expectedFinding is one finding. Every finding that counts must be an expected one.
type expectedFinding struct {
	grade  upgrade.Grade
	ways   string
	object *regexp.Regexp
	line   string         // text in the line that the finding names
	says   *regexp.Regexp // in what it says of the cause and what to do
	seen   bool
}

func parseUpgradeCase(t *testing.T, comment string) upgradeCase {
	t.Helper()
	c := upgradeCase{ways: "all"}
	for line := range strings.Lines(comment) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "from":
			c.from = rest
		case "to":
			c.to = rest
		case "ways":
			c.ways = rest
		case "safe":
			c.safe = rest
		case "exit":
			if _, err := fmt.Sscan(rest, &c.exit); err != nil {
				t.Fatalf("exit %q: %v", rest, err)
			}
		case "find":
			parts := strings.Split(rest, " | ")
			if len(parts) != 5 {
				t.Fatalf("find wants grade | ways | object | text of its line | cause: %q", rest)
			}
			c.finds = append(c.finds, expectedFinding{grade: upgrade.Grade(parts[0]), ways: parts[1], object: regexp.MustCompile("^(" + parts[2] + ")$"),
				line: parts[3], says: regexp.MustCompile(parts[4])})
		case "", "#":
		default:
			t.Fatalf("unknown word %q", word)
		}
	}
	return c
}

func TestUpgradeCases(t *testing.T) {
	needsServer(t)
	paths, err := filepath.Glob(filepath.Join(upgradeCaseDir, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		chosen := *upgradeCases == "all"
		if *upgradeCases == "short" {
			chosen = slices.Contains(shortCases, name)
		} else if !chosen {
			chosen = regexp.MustCompile(*upgradeCases).MatchString(name)
		}
		if chosen {
			t.Run(name, func(t *testing.T) { runUpgradeCase(t, path) })
		}
	}
}

func upgradeEntry(name string) string {
	for pair := range strings.SplitSeq(*upgradeBasedirs, ",") {
		if from, to, found := strings.Cut(pair, "="); found && from == name {
			return to
		}
	}
	return name
}

func runUpgradeCase(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := parseUpgradeCase(t, string(archive.Comment))
	dir, out := t.TempDir(), t.TempDir()
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"upgrade", "--from", upgradeEntry(c.from), "--to", upgradeEntry(c.to), "--schema", filepath.Join(dir, "dump.sql"), "--way", c.ways, "--out", out}
	for flag, name := range map[string]string{"--queries": "queries.sql", "--my-cnf": "my.cnf"} {
		if files[name] != "" {
			args = append(args, flag, filepath.Join(dir, name))
		}
	}
	runs := runFolder(t)
	code, output := start(t, runs, args...).wait(t, 10*time.Minute)
	if strings.Contains(output, "is unavailable:") {
		t.Skipf("a server cannot be obtained here:\n%s", output)
	}
	var report upgrade.Report
	text, err := os.ReadFile(filepath.Join(out, "upgrade.json"))
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		t.Fatalf("exit code %d, %v\n%s", code, err, output)
	}
	exitCodeIs(t, code, c.exit, output)
	judgeUpgrade(t, c, report, files)
	nothingLeft(t, runs)
}

// judgeUpgrade holds a report against what its case expects.
func judgeUpgrade(t *testing.T, c upgradeCase, report upgrade.Report, files map[string]string) {
	t.Helper()
	if safe := strings.Join(report.Safe, ","); c.safe != "" && safe != strings.TrimPrefix(c.safe, "none") {
		t.Errorf("safe ways: %q, want %q", safe, c.safe)
	}
	for _, f := range report.Findings {
		expected := false
		for i := range c.finds {
			if c.finds[i].matches(f, files) {
				c.finds[i].seen, expected = true, true
			}
		}
		if !expected && f.Grade != upgrade.Note && f.Grade != upgrade.Broken {
			t.Errorf("blamed, and no case of it: %s: %s: %s (%s) %s:%d\n  old %s\n  new %s\n  cause %s", f.Grade, f.Object, f.What, strings.Join(f.Ways, ","), filepath.Base(f.File), f.Line, f.Old, f.New, f.Cause)
		}
	}
	for _, e := range c.finds {
		if !e.seen {
			t.Errorf("not found: %s | %s | %s | %s | %s", e.grade, e.ways, e.object, e.line, e.says)
		}
	}
}

func (e expectedFinding) matches(f upgrade.Finding, files map[string]string) bool {
	lines := strings.Split(files[filepath.Base(f.File)], "\n")
	at := ""
	if f.Line > 0 && f.Line <= len(lines) {
		at = lines[f.Line-1]
	}
	ways := slices.Sorted(slices.Values(f.Ways))
	want := slices.Sorted(strings.SplitSeq(e.ways, ","))
	return f.Grade == e.grade && slices.Equal(ways, want) && e.object.MatchString(f.Object.String()) && strings.Contains(at, e.line) &&
		e.says.MatchString(f.What+" "+f.Cause+" "+f.Todo+" "+f.New)
}
