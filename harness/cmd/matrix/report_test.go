package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

// runFolders makes folders of runs, each of one cell with one spec "x", beside each other: name, entry, verdict.
func runFolders(t *testing.T, runs ...[3]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, r := range runs {
		const text = `{"version":%d,"status":"complete","seconds":1,"matrix_digest":"one","cells":[{"id":{"entry":"%s","suite":"failover","tool":"t@1"},` +
			`"total":1,"state":"finished","verdict":"%s","seconds":1,"specs":[{"spec":"x","state":"finished","verdict":"%[3]s","seconds":1}]}]}`
		version := report.Version
		if r[0] == "newer" {
			version++
		}
		put(t, filepath.Join(dir, r[0], "run.json"), fmt.Sprintf(text, version, r[1], r[2]))
	}
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// filesIn are the files of a folder and what is in them.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Exit codes are what a pipeline goes by; a command that fails leaves every file as it was, byte for byte.
func TestReportExitCodes(t *testing.T) {
	dir := runFolders(t, [3]string{"good", "mysql-9.7", "passed"}, [3]string{"broken", "mysql-9.7", "failed"}, [3]string{"known", "mysql-9.7", "known"},
		[3]string{"flaky", "mysql-9.7", "flaky"}, [3]string{"unavailable", "mysql-9.7", "unavailable"}, [3]string{"newer", "mysql-9.7", "passed"},
		[3]string{"past/newer", "mysql-5.7", "passed"}, [3]string{"past/old", "mysql-5.7", "passed"}, [3]string{"onlynewer/newer", "mysql-5.7", "passed"}, [3]string{"part", "mysql-8.0", "passed"})
	at := func(name string) string { return filepath.Join(dir, name) }
	newer := strings.Replace(filesIn(t, at("newer"))["run.json"], "9.7", "8.4", 1)
	put(t, at("past/newer/run.json"), newer)
	put(t, at("onlynewer/newer/run.json"), newer)
	put(t, at("cut/run.json"), `{"version":1,"status":"comp`)
	put(t, at("page/page.html"), "a page")
	put(t, at("torn/run.json"), filesIn(t, at("part"))["run.json"])
	put(t, at("torn/attributions.json"), `{"x`)
	put(t, at("whole/run.json"), filesIn(t, at("good"))["run.json"])
	put(t, at("whole/evidence/x/output.log"), "the tool said")
	page, whole := at("page/page.html"), at("whole")
	const tooNew = "version 3 is newer than the 2 that this program reads"
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{0, "nothing changed", []string{"diff", at("good"), at("good")}},
		{0, "Newly fixed (1)", []string{"diff", at("broken"), at("good")}},
		{0, "passed → flaky", []string{"diff", at("good"), at("flaky")}},
		{0, "passed → unavailable", []string{"diff", at("good"), at("unavailable")}},
		{1, "passed → failed", []string{"diff", at("good"), at("broken")}},
		{1, "passed → known", []string{"diff", at("good"), at("known")}},
		{1, `"old": "passed"`, []string{"diff", "--json", at("good"), at("broken")}},
		{2, "unexpected end", []string{"diff", at("good"), at("cut")}},
		{2, "no such file", []string{"diff", at("nowhere"), at("good")}},
		{2, "wants the folders of two runs", []string{"diff", at("good")}},
		{2, tooNew, []string{"diff", at("newer"), at("good")}},
		{2, tooNew, []string{"diff", at("good"), at("newer")}},
		{2, tooNew, []string{"history", at("onlynewer")}},
		{3, tooNew, []string{"history", at("past")}},
		{3, "old  complete  1 passed", []string{"history", at("past")}},
		{3, "E errored", []string{"merge", at("part"), at("newer")}},
		{3, tooNew, []string{"merge", at("part"), at("newer"), at("cut")}},
		{3, "2 errored", []string{"merge", at("part"), at("newer"), at("cut")}},
		{3, "attributions of", []string{"merge", at("good"), at("torn")}},
		{3, "holds no run", []string{"merge", at("good"), at("page")}},
		{3, "no such file", []string{"merge", at("good"), at("nowhere")}},
		{1, "1 errored, 1 failed", []string{"merge", at("broken"), at("nowhere")}},
		{2, tooNew, []string{"merge", at("cut"), at("newer")}},
		{2, tooNew, []string{"html", at("newer"), "--out", page}},
		{2, tooNew, []string{"html", "--base", at("newer"), at("good"), "--out", page}},
		{2, "attributions of", []string{"html", at("torn"), "--out", page}},
		{2, "is in", []string{"html", at("good"), at("broken"), "--out", page}},
		{2, "holds results already", []string{"merge", at("part"), at("newer"), "--out", whole}},
		{2, "holds results already", []string{"merge", at("part"), "--out", whole}},
		{2, "attributions of", []string{"merge", at("torn"), "--out", at("fresh")}},
	} {
		before := filesIn(t, dir)
		code, output := runMatrix(t, dir, append([]string{"report"}, c.args...)...)
		exitCodeIs(t, code, c.code, output, c.says)
		if !maps.Equal(before, filesIn(t, dir)) {
			t.Errorf("report %s has changed files", strings.Join(c.args, " "))
		}
	}
}

// What attribute found of the parts is found on the page of the whole; two findings of one failure are refused.
func TestMergeKeepsAttributions(t *testing.T) {
	dir := runFolders(t, [3]string{"a", "mysql-9.7", "failed"}, [3]string{"b", "mysql-8.4", "failed"}, [3]string{"c", "mysql-8.0", "failed"})
	id := func(entry string) string {
		return report.FailureID(report.CellID{Entry: entry, Suite: "failover", Tool: "t", Version: "1"}, "x")
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, at("a/attributions.json"), `{"`+id("mysql-9.7")+`":"the server's fault"}`)
	put(t, at("b/attributions.json"), `{"`+id("mysql-8.4")+`":"the tool's fault","`+id("mysql-9.7")+`":"the server's fault"}`)
	code, output := runMatrix(t, dir, "report", "merge", "--out", at("all"), at("a/run.json"), at("b"), at("c"))
	exitCodeIs(t, code, report.ExitFailed, output, "3 failed")
	found, err := results.ReadAttributions(at("all"))
	if want := map[string]string{id("mysql-9.7"): "the server's fault", id("mysql-8.4"): "the tool's fault"}; err != nil || !maps.Equal(found, want) {
		t.Errorf("%v, %v", found, err)
	}
	if text := filesIn(t, at("all"))["page.html"]; !strings.Contains(text, "the server's fault") || !strings.Contains(text, "the tool's fault") {
		t.Error("the page does not say whose fault it is")
	}
	put(t, at("c/attributions.json"), `{"`+id("mysql-9.7")+`":"nobody's fault"}`)
	for _, args := range [][]string{{"merge", "--out", at("other")}, {"html"}} {
		code, output = runMatrix(t, dir, append(append([]string{"report"}, args...), at("a"), at("b"), at("c"))...)
		exitCodeIs(t, code, exitUsage, output, "to different causes")
	}
	if _, err := os.Stat(at("other")); !os.IsNotExist(err) {
		t.Errorf("a refused merge has written: %v", err)
	}
}

// A part that cannot be read is an errored cell of the whole, in each of its files.
func TestMergeNamesWhatItCannotRead(t *testing.T) {
	dir := runFolders(t, [3]string{"a", "mysql-9.7", "passed"}, [3]string{"b", "mysql-8.4", "passed"}, [3]string{"newer", "mysql-8.0", "passed"})
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, at("a/evidence/x/output.log"), "the tool said")
	code, output := runMatrix(t, dir, "report", "merge", "--out", at("all"), at("a"), at("newer"), at("b"))
	exitCodeIs(t, code, report.ExitErrored, output, "1 errored, 2 passed", at("newer")+"/results", "version 3 is newer than the 2")
	files := filesIn(t, at("all"))
	for _, name := range []string{"run.json", "junit.xml", "summary.md", "page.html"} {
		if !strings.Contains(strings.ReplaceAll(files[name], `\`, ""), at("newer")) {
			t.Errorf("%s does not name the part that could not be read", name)
		}
	}
	if files["evidence/x/output.log"] == "" {
		t.Error("the evidence of a part that could be read is not there")
	}
	page := at("page.html")
	code, output = runMatrix(t, dir, "report", "html", "--out", page, at("a"), at("newer"))
	exitCodeIs(t, code, report.ExitErrored, output, "version 3 is newer than the 2")
	if !strings.Contains(filesIn(t, dir)["page.html"], "errored") {
		t.Error("the page does not say that something is errored")
	}
	code, output = runMatrix(t, dir, "report", "durations", at("a"), at("newer"))
	exitCodeIs(t, code, report.ExitErrored, output, `"mysql-9.7/failover/t@1": 1`, "version 3 is newer than the 2")
	code, output = runMatrix(t, dir, "plan", "--durations", at("a"), "--durations", at("newer"))
	exitCodeIs(t, code, 0, output, "durations: without those of results "+at("newer"), `"include"`)
}
