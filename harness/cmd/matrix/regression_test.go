package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

// A release that broke: percona-toolkit 3.7.1 sends SHOW REPLICAS to Debian's builds of MariaDB 10.x, which do not know it;
// 3.2.1 does not.
const (
	brokenRelease, soundRelease = "pt-online-schema-change=3.7.1", "pt-online-schema-change=3.2.1"
	brokenSpec                  = "pt-online-schema-change triggers: keys: the primary key moves to another unique key"
)

// TestRegression takes the way of a maintainer from a verdict that changed to a report that can be sent.
func TestRegression(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs, before, after := runFolder(t), t.TempDir(), t.TempDir()
	one := []string{"run", "--plain", "--entry", entryName, "--suite", "migration", "--focus", "^" + brokenSpec + "$"}
	mustRun(t, runs, append(one, "--tool", soundRelease, "--out", before)...)
	mustRun(t, runs, append(one, "--tool", brokenRelease, "--out", after, "--keep-failed")...) // it is declared
	says := func(want int, text string, args ...string) string {
		t.Helper()
		code, output := runMatrix(t, runs, args...)
		if code != want || !regexp.MustCompile(text).MatchString(output) {
			t.Errorf("matrix %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), code, want, text, output)
		}
		return output
	}

	says(1, "passed → known +"+regexp.QuoteMeta(entryName+"/migration/pt-online-schema-change@3.7.1  "+brokenSpec), "report", "diff", before, after)
	says(0, `Newly fixed \(1\)`, "report", "diff", after, before)

	id := after + "/" + onlySpec(t, after).Failure
	says(0, `whose fault: the tool: with pt-online-schema-change@3\.2\.1 it is passed on the same server; the server version makes no difference \(mariadb-10\.5/`, "attribute", id)
	page, err := os.ReadFile(filepath.Join(after, "page.html"))
	if err != nil || !strings.Contains(string(page), "with pt-online-schema-change@3.2.1 it is passed") {
		t.Errorf("the page does not say whose fault it is: %v", err)
	}
	says(0, `it changes on mariadb-11\.8: passed there, known on mariadb-10\.11`, "bisect", "^"+brokenSpec+"$", "--entries", "mariadb-1[01].[158]*", "--suite", "migration", "--tool", brokenRelease)

	says(0, "then known, now known: it failed again", "repro", id)
	says(0, `profile fast(.|\n)* matrix use s-\d+/primary`, "repro", id, "--shell")
	says(0, `\| t +\|`, "use", "primary", "--", "SHOW TABLES FROM shop")
	says(0, "down", "down")

	packed := filepath.Join(t.TempDir(), "report.tar.gz")
	says(0, regexp.QuoteMeta(packed), "bundle", id, "--out", packed)
	contents := bundled(t, packed)
	for _, part := range []string{"failure.json", "README.txt", "CONTENTS.txt", "primary.error.log", "primary.state.txt", "primary.cnf", "mysql-bin.000001"} {
		if !slices.ContainsFunc(contents, func(f packedFile) bool { return strings.HasSuffix(f.name, part) }) {
			t.Errorf("the bundle has no %s: %v", part, contents)
		}
	}
	for _, f := range contents {
		if found := regexp.MustCompile(`(?i)pass(word|wd)?["']?\s*[=:]\s*["']?msandbox|-pmsandbox|p=msandbox`).FindString(f.text); found != "" {
			t.Errorf("the bundle's %s has a password: %q", f.name, found)
		}
	}
}

// onlySpec is the one spec of a run.
func onlySpec(t *testing.T, folder string) *report.Spec {
	t.Helper()
	run, err := results.Read(filepath.Join(folder, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Cells) != 1 || len(run.Cells[0].Specs) != 1 {
		t.Fatalf("%s has not one spec: %+v", folder, run.Cells)
	}
	return &run.Cells[0].Specs[0]
}

type packedFile struct{ name, text string }

func (f packedFile) String() string { return f.name }

func bundled(t *testing.T, path string) (files []packedFile) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, packedFile{header.Name, string(text)})
	}
}

// failing is the sound release with a fault: its run of that number fails.
func failing(t *testing.T, number int) string {
	t.Helper()
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(cache, "tools/pt-online-schema-change-3.2.1-*/root/usr/bin/pt-online-schema-change"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no pt-online-schema-change 3.2.1 in %s: %v", cache, err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
case "$*" in
*--execute*)
	echo x >>%[1]s/runs
	if [ "$(wc -l <%[1]s/runs)" -eq %[2]d ]; then echo "a fault that comes and goes" >&2; exit 29; fi
esac
exec %[3]s "$@"
`, dir, number, found[0])
	path := filepath.Join(dir, "pt-online-schema-change")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return "pt-online-schema-change=" + path
}

// A spec that ends once so and once otherwise is flaky, with every outcome kept, however it is found.
func TestFlake(t *testing.T) {
	needsServer(t)
	mustRun(t, runFolder(t), "run", "--plain", "--entry", entryName, "--suite", "migration", "--focus", "^"+brokenSpec+"$",
		"--tool", soundRelease, "--out", t.TempDir()) // which obtains it
	for name, c := range map[string]struct {
		fails    int // the run of the tool that fails
		flags    []string
		code     int
		attempts []report.Verdict
	}{
		"retries":       {1, []string{"--retries", "2"}, 0, []report.Verdict{report.VerdictFailed, report.VerdictPassed}},
		"repeat":        {2, []string{"--repeat", "3"}, 1, []report.Verdict{report.VerdictPassed, report.VerdictFailed, report.VerdictPassed}},
		"until failure": {3, []string{"--until-failure"}, 1, []report.Verdict{report.VerdictPassed, report.VerdictPassed, report.VerdictFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs, out := runFolder(t), t.TempDir()
			code, output := runMatrix(t, runs, append([]string{"run", "--plain", "--entry", entryName, "--suite", "migration", "--focus", "^" + brokenSpec + "$",
				"--tool", failing(t, c.fails), "--baseline", "none", "--out", out}, c.flags...)...)
			exitCodeIs(t, code, c.code, output, "flaky")
			spec := onlySpec(t, out)
			var attempts []report.Verdict
			for _, a := range spec.Attempts {
				attempts = append(attempts, a.Verdict)
			}
			if spec.Verdict != report.VerdictFlaky || !slices.Equal(attempts, c.attempts) {
				t.Errorf("%s, attempts %v, want flaky and %v", spec.Verdict, attempts, c.attempts)
			}
			if i := slices.Index(attempts, report.VerdictFailed); i >= 0 && !strings.Contains(spec.Attempts[i].Error, "a fault that comes and goes") {
				t.Errorf("attempt %d does not say why: %s", i+1, spec.Attempts[i].Error)
			}
		})
	}
}
