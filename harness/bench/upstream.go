package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/localtests"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/topology"
)

// Upstream measures gh-ost's own tests on one entry's server: the suite's run, each folder on a topology of
// its own and many at once, against upstream's script, one folder after the other on two servers. Both run
// the folders that pass, since the script stops at the first failure; both are compared by verdict as well.
type Upstream struct {
	Golden   *sandbox.Golden
	Program  *tool.Program // gh-ost
	Sysbench *tool.Program // nil leaves its folder out
	Root     *rundir.Root
	Matrix   string         // program
	Project  string         // folder of matrix.yaml
	Only     *regexp.Regexp // folders by name
	Log      func(string)
}

// upstreamSpec begins the text of the specs that run upstream's folders.
const upstreamSpec = "gh-ost upstream: "

// Run measures. A server on which no folder passes has nothing to compare, and no result.
func (u *Upstream) Run(ctx context.Context) (_ []Result, err error) {
	tests, err := localtests.Read(u.Program.Dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Program.Path, err)
	}
	dir, err := u.Root.Create(ctx, "bench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Remove(context.WithoutCancel(ctx))) }()
	var names []string
	tests.Folders = slices.DeleteFunc(tests.Folders, func(f localtests.Folder) bool { return !u.Only.MatchString(f.Name) })
	for _, f := range tests.Folders {
		names = append(names, f.Name)
	}
	ours, verdicts, err := u.suite(ctx, filepath.Join(dir.Path, "all"), names)
	if err != nil {
		return nil, err
	}
	t, err := u.deploy(ctx, dir.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	chosen, left, err := u.choose(ctx, t, tests.Folders, verdicts)
	if err != nil || len(chosen) == 0 {
		return nil, err
	}
	if len(left) > 0 { // the measured run has the folders of the other side
		names = nil
		for _, f := range chosen {
			names = append(names, f.Name)
		}
		if ours, verdicts, err = u.suite(ctx, filepath.Join(dir.Path, "chosen"), names); err != nil {
			return nil, err
		}
	}
	u.Log(fmt.Sprintf("%s: %d folders of gh-ost's own tests in %s, left out: %v", u.Golden.Entry, len(chosen), ours.Round(time.Second), left))
	theirs, outcomes, err := u.sequence(ctx, t, tests, chosen, dir.Path)
	if err != nil {
		return nil, err
	}
	r := result(fmt.Sprintf("gh-ost's own tests, %s, gh-ost %s", u.Golden.Entry, u.Program.Version), ours, "upstream's script on two servers, one folder after the other", theirs)
	r.Note = agreement(chosen, verdicts, outcomes) + fmt.Sprintf("; left out on both sides: %d", len(left))
	u.Log(r.Note)
	return []Result{r}, nil
}

// suite runs folders as specs in a matrix run, and returns how long it took and each folder's verdict.
func (u *Upstream) suite(ctx context.Context, out string, names []string) (time.Duration, map[string]report.Verdict, error) {
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	_, runErr := proc.Run(ctx, proc.Cmd{Path: u.Matrix, Dir: u.Project, Inherit: true, Args: []string{
		"run", "--plain", "--entry", u.Golden.Entry, "--suite", "migration", "--tool", u.Program.Name + "=" + u.Program.Version,
		"--focus", "^" + upstreamSpec + "(?:" + strings.Join(quoted, "|") + ")$", "--out", out,
	}})
	file, err := os.Open(filepath.Join(out, "run.json"))
	if err != nil {
		return 0, nil, errors.Join(runErr, err)
	}
	defer file.Close()
	run, err := report.ReadRun(file)
	if err != nil {
		return 0, nil, errors.Join(runErr, err)
	}
	verdicts := map[string]report.Verdict{}
	for _, c := range run.Cells {
		for _, s := range c.Specs {
			verdicts[strings.TrimPrefix(s.Text, upstreamSpec)] = s.Verdict
		}
	}
	if len(verdicts) == 0 {
		return 0, nil, fmt.Errorf("the suite ran none of gh-ost's own tests: %w", runErr)
	}
	return time.Duration(float64(run.Seconds) * float64(time.Second)), verdicts, nil
}

// deploy is the two servers that upstream's script runs on.
func (u *Upstream) deploy(ctx context.Context, dir string) (*topology.Topology, error) {
	lines, err := localtests.ServerOptions(dir)
	if err != nil {
		return nil, err
	}
	return topology.Deploy(ctx, u.Golden, topology.Options{Shape: topology.MustShape("star:1"), Server: lines}, filepath.Join(dir, "t"), dir)
}

// choose takes the folders that pass; those that fail or are skipped, and those for another gtid_mode than
// the servers have, would end the script or cost nothing, and are left out by name.
func (u *Upstream) choose(ctx context.Context, t *topology.Topology, folders []localtests.Folder, verdicts map[string]report.Verdict) (chosen []localtests.Folder, left []string, err error) {
	for _, f := range folders {
		passes := verdicts[f.Name] == report.VerdictPassed || verdicts[f.Name] == report.VerdictVacuous
		if passes && f.GTIDMode != "" {
			mode, err := t.Primary().Server.Variable(ctx, "gtid_mode")
			if err != nil {
				return nil, nil, err
			}
			passes = mode == f.GTIDMode
		}
		if passes && (!f.Sysbench || u.Sysbench != nil) {
			chosen = append(chosen, f)
		} else {
			left = append(left, f.Name)
		}
	}
	return chosen, left, nil
}

// sequence runs the script over the folders. It stops at a failure; the rest is run by another start of it.
func (u *Upstream) sequence(ctx context.Context, t *topology.Topology, tests *localtests.Tests, folders []localtests.Folder, dir string) (took time.Duration, verdicts map[string]localtests.Verdict, err error) {
	verdicts = map[string]localtests.Verdict{}
	for i := 0; len(folders) > 0; i++ {
		run := &localtests.Script{Tests: tests, Folders: folders, Program: u.Program, Primary: t.Primary(), Replica: t.Replicas()[0],
			Workdir: filepath.Join(dir, "u"+strconv.Itoa(i)), Bare: true}
		if slices.ContainsFunc(folders, func(f localtests.Folder) bool { return f.Sysbench }) {
			run.Sysbench = u.Sysbench
		}
		r, err := run.Run(ctx)
		if err != nil {
			return took, nil, err
		}
		if r.Stopped != nil {
			return took, nil, r.Stopped
		}
		took += r.Duration
		for _, o := range r.Outcomes {
			verdicts[o.Name] = o.Verdict
			if o.Verdict == localtests.Failed {
				u.Log(o.Name + ": " + r.Complaint())
			}
		}
		folders = slices.DeleteFunc(slices.Clone(folders), func(f localtests.Folder) bool { return verdicts[f.Name] != localtests.Unknown })
	}
	return took, verdicts, nil
}

// agreement says for how many folders both sides have the same verdict, and names the others. A vacuous
// folder is one that upstream's script passes.
func agreement(folders []localtests.Folder, ours map[string]report.Verdict, theirs map[string]localtests.Verdict) string {
	var differ []string
	for _, f := range folders {
		passed := ours[f.Name] == report.VerdictPassed || ours[f.Name] == report.VerdictVacuous
		if passed != (theirs[f.Name] == localtests.Passed) {
			differ = append(differ, fmt.Sprintf("%s is %s here and %s there", f.Name, ours[f.Name], theirs[f.Name]))
		}
	}
	text := fmt.Sprintf("%d of %d verdicts agree", len(folders)-len(differ), len(folders))
	if len(differ) > 0 {
		text += ": " + strings.Join(differ, ", ")
	}
	return text
}
