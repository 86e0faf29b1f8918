package matrix

import (
	"errors"
	"fmt"
	"slices"

	"mysqlmatrix/harness/flavor"
)

// judgeByBaseline gives builds of the user's own the version whose known failures they are judged by.
func (m *Matrix) judgeByBaseline(named map[string][]ToolRef, baseline string) error {
	var errs []error
	used := false
	for name, refs := range named {
		t, _ := m.tool(name)
		for i := range refs {
			if refs[i].Path == "" {
				continue
			}
			used = true
			version, err := m.baseline(t, baseline)
			errs = append(errs, err)
			refs[i].Baseline = version
		}
	}
	if baseline != "" && !used {
		errs = append(errs, fmt.Errorf("--baseline %s: it is for a build of your own: add --tool, such as --tool gh-ost=/path/to/gh-ost", baseline))
	}
	return errors.Join(errs...)
}

// baseline is a listed version; "" chooses the newest of which something is known, and the newest where nothing is known of any.
func (m *Matrix) baseline(t Tool, version string) (string, error) {
	listed := t.versionNames()
	switch {
	case version == NoBaseline:
		return "", nil
	case version == "":
		known := slices.DeleteFunc(slices.Clone(listed), func(v string) bool { return !m.known(t.Name, v) })
		if len(known) == 0 {
			known = listed
		}
		return newest(known), nil
	case !slices.Contains(listed, version):
		return "", fmt.Errorf("--baseline %s: no such version of %s is listed; %s, or %s", version, t.Name, choices(version, listed), NoBaseline)
	}
	return version, nil
}

// known says whether anything is declared of a version of a tool.
func (m *Matrix) known(tool, version string) bool {
	return slices.ContainsFunc(m.Known, func(x Expectation) bool { return x.tool == tool && x.ofVersion(version) })
}

// newest is the version of the greatest number. One without a number comes first.
func newest(versions []string) string {
	return slices.MaxFunc(versions, func(a, b string) int {
		one, _ := flavor.Numbers(a)
		other, _ := flavor.Numbers(b)
		return slices.Compare(one, other)
	})
}
