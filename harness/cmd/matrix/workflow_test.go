package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/matrix"
)

type workflow struct {
	Permissions map[string]string
	On          map[string]any `yaml:"on"`
	Jobs        map[string]workflowJob
	Concurrency map[string]string
}

type workflowJob struct {
	Uses     string
	If       string
	Needs    any // a name or several
	With     map[string]string
	Strategy struct {
		FailFast *bool  `yaml:"fail-fast"`
		Matrix   string `yaml:"matrix"`
	}
	Steps   []step
	Outputs map[string]string
}

type action struct {
	Name, Description string
	Inputs            map[string]struct {
		Description string
		Required    bool
		Default     *string
	}
	Runs struct {
		Using string
		Steps []step
	}
}

type step struct {
	ID, If, Uses, Run, Shell string
	WorkingDirectory         string `yaml:"working-directory"`
	Env, With                map[string]string
}

func readYAML(t *testing.T, path string, to any) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(projectRoot(t), path))
	if err == nil {
		err = yaml.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(text)
}

const (
	reusableFile = ".github/workflows/reusable.yml"
	callerFile   = ".github/workflows/matrix.yml"
	actionFile   = ".github/actions/entry/action.yml"
	forkFile     = "fixtures/gh-ost-fork.yml"
)

var pinned = regexp.MustCompile(`uses: (\./\S+|[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)

// What a workflow must never lose, whatever else changes in it.
func TestWorkflowsAreSafe(t *testing.T) {
	for _, path := range []string{reusableFile, callerFile, actionFile} {
		var w workflow
		text := readYAML(t, path, &w)
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); strings.Contains(line, "uses: ") && !pinned.MatchString(line) {
				t.Errorf("%s: an action is not pinned by commit: %s", path, line)
			}
		}
		if path != actionFile && !maps.Equal(w.Permissions, map[string]string{"contents": "read"}) {
			t.Errorf("%s: permissions %v, want contents: read alone", path, w.Permissions)
		}
		for name, j := range w.Jobs {
			if j.Strategy.Matrix != "" && (j.Strategy.FailFast == nil || *j.Strategy.FailFast) {
				t.Errorf("%s: job %s ends all others when one fails", path, name)
			}
			steps(t, path, j.Steps)
		}
		var a action
		readYAML(t, path, &a)
		steps(t, path, a.Runs.Steps)
		if path == callerFile && !strings.Contains(w.Concurrency["cancel-in-progress"], "'pull_request'") {
			t.Errorf("%s: concurrency %v cancels more than pull requests", path, w.Concurrency)
		}
	}
}

// steps checks that no text from outside becomes part of a script: values come by environment variables.
func steps(t *testing.T, path string, list []step) {
	t.Helper()
	for _, s := range list {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("%s: a script has an expression in it:\n%s", path, s.Run)
		}
	}
}

// Other actions refuse a pattern with .. in it, with a warning that nobody reads.
func TestPathsHaveNoParents(t *testing.T) {
	for path, list := range allSteps(t) {
		for _, s := range list {
			for name, value := range s.With {
				if slices.Contains(strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("/ \n", r) }), "..") {
					t.Errorf("%s: %s: %s of %s goes up by ..", path, name, value, s.Uses)
				}
			}
		}
	}
}

// allSteps are the steps of the workflows' jobs and of the action, by file and job.
func allSteps(t *testing.T) map[string][]step {
	t.Helper()
	all := map[string][]step{}
	var w workflow
	readYAML(t, reusableFile, &w)
	for name, j := range w.Jobs {
		all[reusableFile+", job "+name] = j.Steps
	}
	var a action
	readYAML(t, actionFile, &a)
	all[actionFile] = a.Runs.Steps
	return all
}

// outputsOf are the outputs that are read here of other actions.
var outputsOf = map[string][]string{"actions/cache/restore": {"cache-hit", "cache-primary-key"}}

var (
	outputRead    = regexp.MustCompile(`steps\.([\w-]+)\.outputs\.([\w-]+)`)
	outputWritten = regexp.MustCompile(`(?m)echo "?([\w-]+)=.*>>\s*"\$GITHUB_OUTPUT"`)
)

// Every output that is read is written by an earlier step, and every one that is written is read.
func TestOutputsAreWrittenAndRead(t *testing.T) {
	for path, list := range allSteps(t) {
		written, unread := map[string]bool{}, map[string]bool{}
		for _, s := range list {
			text, err := yaml.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range outputRead.FindAllStringSubmatch(string(text), -1) {
				name := found[1] + "." + found[2]
				if !written[name] {
					t.Errorf("%s: %s is read, and no earlier step writes it", path, name)
				}
				delete(unread, name)
			}
			if strings.Contains(s.Run, "bin/matrix plan") {
				written[s.ID+".matrix"] = true // what plan --format github prints
			}
			for _, found := range outputWritten.FindAllStringSubmatch(s.Run, -1) {
				written[s.ID+"."+found[1]], unread[s.ID+"."+found[1]] = true, true
			}
			action, _, _ := strings.Cut(s.Uses, "@")
			for _, name := range outputsOf[action] {
				written[s.ID+"."+name] = true
			}
		}
		for name := range unread {
			t.Errorf("%s: nothing reads %s", path, name)
		}
	}
}

// A go line alone makes setup-go install the very first patch release of a series, with its known faults.
func TestToolchainIsNamed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(projectRoot(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^toolchain go1\.\d+\.(\d+)$`).FindSubmatch(text)
	if found == nil || string(found[1]) == "0" {
		t.Errorf("go.mod names no patch release of Go: %q", found)
	}
}

// Which tier runs when, and what ends what.
func TestTiersOfEvents(t *testing.T) {
	var w workflow
	readYAML(t, callerFile, &w)
	dispatch, _ := w.On["workflow_dispatch"].(map[string]any)
	declared, _ := dispatch["inputs"].(map[string]any)
	for event, want := range map[string]string{"pull_request": "pr", "push": "full", "schedule": "full", "workflow_dispatch": "pr"} {
		if _, ok := w.On[event]; !ok {
			t.Errorf("%s does not start the workflow", event)
		}
		values := expressions{"github.event_name": event, "github.ref": "refs/pull/7/merge", "github.run_id": "42"}
		for name := range declared {
			values["inputs."+name] = "" // only who starts it by hand gives any
		}
		entries, group := "*", "matrix-42"
		switch event {
		case "pull_request":
			group = "matrix-refs/pull/7/merge"
		case "workflow_dispatch":
			values["inputs.tier"], values["inputs.entries"], entries = want, "mysql-*", "mysql-*"
		}
		given := w.Jobs["matrix"].With
		if got := values.fill(t, given["tier"]); got != want {
			t.Errorf("%s runs the tier %q, want %q", event, got, want)
		}
		if got := values.fill(t, given["entries"]); got != entries {
			t.Errorf("%s runs the entries %q, want %q", event, got, entries)
		}
		if got := values.fill(t, w.Concurrency["group"]); got != group {
			t.Errorf("%s is in the group %q, want %q", event, got, group)
		}
		if got := values.fill(t, w.Concurrency["cancel-in-progress"]) != ""; got != (event == "pull_request") {
			t.Errorf("%s ends an earlier run: %t", event, got)
		}
	}
}

// The gate waits for all and runs whatever became of them, or nothing would be told of what was lost. The jobs before
// it have no condition by which they could be left out.
func TestTheGateAlwaysRuns(t *testing.T) {
	var w workflow
	readYAML(t, reusableFile, &w)
	needs := func(name string) string { return fmt.Sprint(w.Jobs[name].Needs) }
	if gate := w.Jobs["gate"]; gate.If != "always()" || needs("gate") != "[plan entry]" {
		t.Errorf("the gate runs if %q, after %s", gate.If, needs("gate"))
	}
	if needs("plan") != "<nil>" || needs("entry") != "plan" || w.Jobs["plan"].If != "" || w.Jobs["entry"].If != "" {
		t.Errorf("plan needs %s, entry %s; they run if %q, %q", needs("plan"), needs("entry"), w.Jobs["plan"].If, w.Jobs["entry"].If)
	}
	if len(w.Jobs) != 3 {
		t.Errorf("%d jobs: the gate has to wait for each", len(w.Jobs))
	}
}

// What docs/ci.md shows is what the tests below run, and gets the harness at the commit of the workflow.
func TestExampleOfAFork(t *testing.T) {
	var fork workflow
	text := readYAML(t, forkFile, &fork)
	page, err := os.ReadFile(filepath.Join(projectRoot(t), "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```yaml\n"+text+"```\n") {
		t.Errorf("the example of docs/ci.md is not %s", forkFile)
	}
	job := fork.Jobs["matrix"]
	file, ref, _ := strings.Cut(job.Uses, "@")
	if file != job.With["harness-repository"]+"/"+reusableFile || ref == "" || ref != job.With["harness-ref"] {
		t.Errorf("the workflow is %s, and what it runs %s at %s", job.Uses, job.With["harness-repository"], job.With["harness-ref"])
	}
}

// Every step of the workflow and of its action runs here as it stands, on one server that is cached already and with
// one spec: plan, the entry's job, gate. One that fails must turn the gate red, and say so once.
func TestWorkflowSteps(t *testing.T) {
	needsServer(t)
	mustRun(t, runFolder(t), "fetch", entryName)
	shared, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	readYAML(t, reusableFile, &w)
	s := service{t: t, artifacts: t.TempDir(), runs: temporaryFolder(t), basedirs: filepath.Join(shared, "basedirs")}
	values := inputs(t, w, map[string]string{"entries": entryName, "suites": "pseudogtid", "focus": "finds the same coordinates", "retries": "1"})

	matrixJSON, one := s.plan(w, values)
	entry := s.machine(one)
	entry.run(w.Jobs["entry"].Steps)
	entry.mustPass()
	if len(entry.saved) > 0 {
		t.Errorf("the job has saved %v, which it got from the cache", entry.saved)
	}

	one["needs.plan.outputs.matrix"] = matrixJSON
	gate := s.machine(one)
	gate.run(w.Jobs["gate"].Steps)
	gate.mustPass()
	gate.says(gate.summary, entryName, "✓ passed 1")
	for _, file := range []string{"run.json", "junit.xml", "summary.md", "page.html"} {
		if _, err := os.Stat(filepath.Join(s.artifacts, "matrix", file)); err != nil {
			t.Error(err)
		}
	}

	// A job that was lost: the gate fails, and its steps that always run still tell of it.
	one["needs.plan.outputs.matrix"] = strings.Replace(matrixJSON, `"cells":"`, `"cells":"mysql-5.6/pseudogtid/embedded@builtin `, 1)
	s.artifacts = copyOf(t, s.artifacts, "results-*")
	lost := s.machine(one)
	lost.run(w.Jobs["gate"].Steps)
	if lost.failed == nil {
		t.Error("the gate passes although a planned cell reported nothing")
	}
	lost.says(lost.summary, "mysql-5.6", "E errored")
	if n := strings.Count(lost.printed.String(), "::error "); n != 1 || !strings.Contains(lost.printed.String(), "::error title=mysql-5.6%3A 1 cell errored::") {
		t.Errorf("%d annotations:\n%s", n, lost.printed.String())
	}
}

// A fork of gh-ost calls the workflow with its own checkout, as the example in docs/ci.md does: that is built and tested.
// Its code is gh-ost's own, which asks this server for a variable that it does not have. By no release's known failures the
// gate must turn red, and say so.
func TestWorkflowOfAFork(t *testing.T) {
	needsServer(t)
	t.Parallel()
	mustRun(t, runFolder(t), "fetch", entryName)
	shared, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	var w, fork workflow
	readYAML(t, reusableFile, &w)
	readYAML(t, forkFile, &fork)
	given := fork.Jobs["matrix"].With
	given["baseline"] = "none"
	given["entries"], given["focus"] = entryName, "^gh-ost allow-on-master: keys: a text key with a case- and accent-insensitive collation$"
	s := service{t: t, artifacts: t.TempDir(), runs: temporaryFolder(t), basedirs: filepath.Join(shared, "basedirs"), cold: true, caller: ghostSource(t)}
	values := inputs(t, w, given)
	matrixJSON, one := s.plan(w, values)
	entry := s.machine(one)
	entry.run(w.Jobs["entry"].Steps)
	if entry.failed == nil {
		t.Errorf("the entry's job passes:\n%s", entry.printed.String())
	}
	if !strings.Contains(entry.printed.String(), "build gh-ost from "+entry.workspace) {
		t.Errorf("the checkout is not built:\n%s", entry.printed.String())
	}
	if want := []string{"basedirs-" + one["matrix.key"]}; !slices.Equal(entry.saved, want) {
		t.Errorf("the job that failed has saved the servers %v, want %v", entry.saved, want)
	}
	one["needs.plan.outputs.matrix"] = matrixJSON
	gate := s.machine(one)
	gate.run(w.Jobs["gate"].Steps)
	if gate.failed == nil {
		t.Error("the gate passes")
	}
	gate.says(gate.summary, entryName, "✗ failed 1", "gh-ost unversioned", "Unknown system variable 'transaction_isolation'")
}

// ghostSource is a folder with the code of the gh-ost that matrix.yaml names first.
func ghostSource(t *testing.T) string {
	t.Helper()
	m, err := matrix.Load(filepath.Join(projectRoot(t), "matrix.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := m.Plan(matrix.Selection{Entries: []string{entryName}, Suites: []string{"migration"}, Tools: []string{"gh-ost"}})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "mod", "download", "-json", cells[0].Tool.Source.Module.Path+"@"+cells[0].Tool.Version)
	c.Dir = t.TempDir() // outside of this module
	out, err := c.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil || module.Error != "" {
		t.Fatalf("%s: %v %v %s", c, err, jsonErr, out)
	}
	return module.Dir
}
