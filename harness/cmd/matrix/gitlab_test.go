package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// gitlabJob is a job of a pipeline, with what GitLab does by itself left out.
type gitlabJob struct {
	Extends   string
	When      string
	Variables map[string]string
	Script    []string
	Artifacts struct {
		When  string
		Paths []string
	}
	Cache struct{ When string }
}

// gitlabJobs are the jobs of a file, without its other keys.
func gitlabJobs(t *testing.T, text string) map[string]gitlabJob {
	t.Helper()
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(text), &nodes); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	jobs := map[string]gitlabJob{}
	for name, node := range nodes {
		if slices.Contains([]string{"stages", "default", "include", "variables"}, name) {
			continue
		}
		var j gitlabJob
		if err := node.Decode(&j); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		jobs[name] = j
	}
	return jobs
}

// childPipeline is a plan's pipeline with what it includes: the includer's keys are laid over the included job's.
func childPipeline(t *testing.T, text string) map[string]gitlabJob {
	t.Helper()
	var whole struct{ Variables map[string]string }
	if err := yaml.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatal(err)
	}
	included := gitlabJobs(t, readYAML(t, ".gitlab/entry.yml", &map[string]any{}))
	jobs := map[string]gitlabJob{}
	for name, j := range gitlabJobs(t, text) {
		base, ok := included[name]
		if j.Extends != "" {
			base, ok = included[j.Extends]
		}
		if !ok || len(j.Script) > 0 {
			t.Fatalf("job %s extends nothing, or has a script of its own: %+v", name, j)
		}
		base.Variables = merged(whole.Variables, base.Variables, j.Variables)
		jobs[name] = base
	}
	return jobs
}

func merged(of ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, one := range of {
		maps.Copy(all, one)
	}
	return all
}

// gitlab runs a job's lines as a runner does, as one script, and keeps its artifacts.
func (m *machine) gitlab(j gitlabJob) {
	m.t.Helper()
	env := map[string]string{"CI_PROJECT_DIR": m.workspace}
	for name, value := range j.Variables {
		env[name] = os.Expand(value, func(name string) string { return env[name] })
	}
	m.script(step{Run: strings.Join(j.Script, "\n"), Shell: "bash", Env: env})
	for _, path := range j.Artifacts.Paths {
		if _, err := os.Stat(m.inWorkspace(path)); err != nil && m.failed == nil {
			m.t.Errorf("the job passes without its artifact: %v", err)
		}
	}
}

// nowhere is a matrix of servers that cannot be obtained on any machine, so that all of a pipeline runs and no server does.
const nowhere = `tools:
  - {name: embedded, suites: [failover], versions: [{version: builtin, tier: pr, builtin: true}]}
entries:
  - {name: mysql-8.0, vendor: mysql, series: "8.0", tier: pr, sources: [{dir: {path: /nowhere/8.0}}]}
  - {name: mysql-8.4, vendor: mysql, series: "8.4", tier: pr, sources: [{dir: {path: /nowhere/8.4}}]}
`

var variable = regexp.MustCompile(`\$\{?(MATRIX_\w+)`)

// Every line of both files runs as it stands here: the plan, a job for each entry, the gate. A gate to which a job's
// results do not come is red, and so is one that learns nothing since no server is available.
func TestGitLabPipeline(t *testing.T) {
	t.Parallel()
	s := service{t: t, artifacts: t.TempDir(), runs: temporaryFolder(t)}
	m := s.machine(expressions{})
	m.checkout(m.workspace)
	m.ok(os.WriteFile(filepath.Join(m.workspace, matrixFile), []byte(nowhere), 0o644))
	parent := gitlabJobs(t, readYAML(t, ".gitlab-ci.yml", &map[string]any{}))
	m.gitlab(parent["plan"])
	m.mustPass()
	text, err := os.ReadFile(filepath.Join(m.workspace, "pipeline.yml"))
	m.ok(err)
	child := childPipeline(t, string(text))
	for name, j := range child {
		for _, used := range variable.FindAllStringSubmatch(strings.Join(j.Script, "\n"), -1) {
			if j.Variables[used[1]] == "" {
				t.Errorf("job %s uses %s, which nothing sets", name, used[1])
			}
		}
		if name != "gate" && (j.Artifacts.When != "always" || j.Cache.When != "always") {
			t.Errorf("job %s keeps what it has only when it passes: %+v", name, j)
		}
	}
	gate, ok := child["gate"]
	delete(child, "gate")
	if len(child) != 2 || !ok || gate.When != "always" || gate.Variables["MATRIX_TIER"] != "pr" {
		t.Fatalf("%d jobs, the gate is %+v", len(child), gate)
	}
	for _, j := range child {
		m.gitlab(j)
		m.mustPass()
	}
	m.gateEnds(gate, "nothing ran: of 2 cells 2 are unavailable")

	for _, j := range child {
		m.passed(j)
	}
	m.gateEnds(gate, "")
	if err := os.RemoveAll(filepath.Join(m.workspace, "results", "mysql-8.4")); err != nil {
		t.Fatal(err)
	}
	m.gateEnds(gate, "job mysql-8.4 reported nothing of this cell")
}

// gateEnds runs the gate, which has to fail with a message, or to pass where there is none.
func (m *machine) gateEnds(gate gitlabJob, message string) {
	m.t.Helper()
	m.printed.Reset()
	m.gitlab(gate)
	if (m.failed != nil) != (message != "") || !strings.Contains(m.printed.String(), message) {
		m.t.Errorf("the gate ends with %v, want %q:\n%s", m.failed, message, m.printed.String())
	}
	m.failed = nil
	m.ok(os.RemoveAll(filepath.Join(m.workspace, "merged")))
}

// passed writes what a job would that had its servers.
func (m *machine) passed(j gitlabJob) {
	m.t.Helper()
	entry, _, _ := strings.Cut(j.Variables["MATRIX_CELLS"], "/")
	outcome := `"state":"finished","verdict":"passed","seconds":1`
	text := fmt.Sprintf(`{"version":1,"status":"complete","seconds":1,"cells":[{"id":{"entry":%q,"suite":"failover","tool":"embedded@builtin"},"total":1,%s,"specs":[{"spec":"x",%s}]}]}`,
		entry, outcome, outcome)
	m.ok(os.WriteFile(filepath.Join(m.workspace, "results", j.Variables["MATRIX_NAME"], "run.json"), []byte(text), 0o644))
}

// A plan of shards has a job for each, with all that .entry uses, and the gate has all their cells.
func TestGitLabPlan(t *testing.T) {
	jobs := childPipeline(t, mustRun(t, runFolder(t), "plan", "--format", "gitlab", "--shards", "4"))
	if len(jobs) != 5 {
		t.Fatalf("%d jobs, want 4 and the gate", len(jobs))
	}
	var plan struct{ Include []ciJob }
	if err := json.Unmarshal([]byte(jobs["gate"].Variables["MATRIX_PLAN"]), &plan); err != nil || len(plan.Include) != 4 {
		t.Fatalf("the gate's plan is %+v, %v", plan, err)
	}
	for _, p := range plan.Include {
		want := map[string]string{"MATRIX_NAME": p.Name, "MATRIX_KEY": p.Key, "MATRIX_ENTRIES": p.Entries, "MATRIX_CELLS": p.Cells, "MATRIX_TIER": "full"}
		got := jobs["matrix "+p.Name].Variables
		delete(got, "MATRIX_CACHE")
		if !maps.Equal(got, want) {
			t.Errorf("job %s has %v, want %v", p.Name, got, want)
		}
	}
}
