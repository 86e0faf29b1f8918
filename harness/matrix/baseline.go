package matrix

import (
	"errors"
	"fmt"
	"slices"
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
			version, err := t.baseline(baseline)
			errs = append(errs, err)
			refs[i].Baseline = version
		}
	}
	if baseline != "" && !used {
		errs = append(errs, fmt.Errorf("--baseline %s: it is for a build of your own: add --tool, such as --tool gh-ost=/path/to/gh-ost", baseline))
	}
	return errors.Join(errs...)
}

// baseline is a listed version; "" chooses the first, which is the default.
func (t Tool) baseline(version string) (string, error) {
	known := t.versionNames()
	switch {
	case version == NoBaseline:
		return "", nil
	case version == "":
		return known[0], nil
	case !slices.Contains(known, version):
		return "", fmt.Errorf("--baseline %s: no such version of %s is listed; %s, or %s", version, t.Name, choices(version, known), NoBaseline)
	}
	return version, nil
}
