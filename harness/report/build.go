package report

import (
	"cmp"
	"fmt"
	"slices"
)

// Build is how a build of the user's own did, judged by the known failures of a release.
type Build struct {
	Tool, Flag, Baseline string
	New, Fixed, Known    int // specs
}

// Builds are the builds of the user's own in a run that have a baseline.
func (r *Run) Builds() []Build {
	var builds []Build
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.Baseline == "" {
			continue
		}
		at := slices.IndexFunc(builds, func(b Build) bool { return b.Tool == c.ID.Tool })
		if at < 0 {
			at = len(builds)
			builds = append(builds, Build{Tool: c.ID.Tool, Flag: c.ToolFlag, Baseline: c.Baseline})
		}
		builds[at].New += c.Count(VerdictFailed) + c.Count(VerdictTimedOut)
		builds[at].Fixed += c.Count(VerdictFixedByBuild)
		builds[at].Known += c.Count(VerdictKnown)
	}
	return builds
}

// String is "gh-ost=/path: 3 new, 1 fixed, 40 known as in v1.1.10".
func (b Build) String() string {
	return fmt.Sprintf("%s: %d new, %d fixed, %d known as in %s", OneLine(cmp.Or(b.Flag, b.Tool)), b.New, b.Fixed, b.Known, OneLine(b.Baseline))
}

func buildLines(run *Run) []line {
	var lines []line
	for _, b := range run.Builds() {
		lines = append(lines, line{{styleBold, "Build  "}, {stylePlain, b.String()}})
	}
	return lines
}
