package migration

import (
	"strings"
	"testing"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

func TestTargets(t *testing.T) {
	tests := map[Mode]Target{
		ModeReplica:          {Node: NodePrimary, Table: "t"},
		ModePrimary:          {Node: NodePrimary, Table: "t"},
		ModeTriggers:         {Node: NodePrimary, Table: "t"},
		ModeTestOnReplica:    {Node: NodeReplica, Table: "_t_gho", Stopped: true, Original: &Target{Node: NodeReplica, Table: "t"}},
		ModeMigrateOnReplica: {Node: NodeReplica, Table: "t", Original: &Target{Node: NodePrimary, Table: "t"}},
	}
	for mode, want := range tests {
		got := mode.Target("t")
		if got.Node != want.Node || got.Table != want.Table || got.Stopped != want.Stopped {
			t.Errorf("%s: %+v, want %+v", mode, got, want)
		}
		if (got.Original == nil) != (want.Original == nil) || (got.Original != nil && *got.Original != *want.Original) {
			t.Errorf("%s: original %+v, want %+v", mode, got.Original, want.Original)
		}
	}
	if got := ModeUnknown.Target("t"); got.Node != NodeUnknown {
		t.Errorf("the unknown mode has target %+v", got)
	}
}

// TestEveryModeIsSomeTools holds the enum and the drivers together.
func TestEveryModeIsSomeTools(t *testing.T) {
	seen := map[Mode]bool{}
	for _, d := range Descriptors() {
		driver, err := New(&tool.Program{Name: d.Name})
		if err != nil {
			t.Fatal(err)
		}
		if driver.Name() != d.Name {
			t.Errorf("driver of %s is named %s", d.Name, driver.Name())
		}
		for _, mode := range driver.Describe().Modes {
			seen[mode] = true
		}
	}
	for mode := range modeNames {
		if !seen[mode] {
			t.Errorf("no tool has mode %s", mode)
		}
	}
	if _, err := New(&tool.Program{Name: "orchestrator"}); err == nil {
		t.Error("orchestrator is taken for a migration tool")
	}
}

func TestJobCheck(t *testing.T) {
	primary := server.Endpoint{Host: "127.0.0.1", Port: 3306}
	good := Job{Mode: ModePrimary, Database: "d", Table: "t", Alter: "ENGINE=InnoDB", Primary: primary}
	tests := map[string]struct {
		change func(*Job)
		want   string
	}{
		"good":           {func(*Job) {}, ""},
		"no mode":        {func(j *Job) { j.Mode = ModeUnknown }, "no mode"},
		"another tool's": {func(j *Job) { j.Mode = ModeTriggers }, "no mode triggers"},
		"no change":      {func(j *Job) { j.Alter = "" }, "must be given"},
		"no primary":     {func(j *Job) { j.Primary = server.Endpoint{} }, "needs a primary"},
		"no replica":     {func(j *Job) { j.Mode = ModeReplica }, "needs a replica"},
		"no folder":      {func(j *Job) { j.Workdir = "" }, "absolute"},
		"relative":       {func(j *Job) { j.Workdir = "here" }, "absolute"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			job := good
			job.Workdir = t.TempDir()
			test.change(&job)
			err := job.check(&Descriptor{Name: NameGhost, Modes: []Mode{ModePrimary, ModeReplica}})
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "" && job.Scope != job.Workdir:
				t.Errorf("scope %q, want the working folder", job.Scope)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
