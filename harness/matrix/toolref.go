package matrix

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

func (m *Matrix) tool(name string) (Tool, bool) {
	i := slices.IndexFunc(m.Tools, func(t Tool) bool { return t.Name == name })
	if i < 0 {
		return Tool{}, false
	}
	return m.Tools[i], true
}

func (m *Matrix) toolNames() []string {
	names := make([]string, len(m.Tools))
	for i, t := range m.Tools {
		names[i] = t.Name
	}
	return names
}

func (t Tool) versionNames() []string {
	names := make([]string, len(t.Versions))
	for i, v := range t.Versions {
		names[i] = v.Version
	}
	return names
}

type chosenTool struct {
	ref    ToolRef
	suites []string
	named  bool
}

// chooseTools lists the tool versions to run: those of the tier, or those named. Naming one tool leaves
// only the named tools in the suites that test it.
func (m *Matrix) chooseTools(s Selection) ([]chosenTool, error) {
	named, err := m.namedTools(s.Tools)
	if err != nil {
		return nil, err
	}
	if err := m.judgeByBaseline(named, s.Baseline); err != nil {
		return nil, err
	}
	taken := map[string]bool{} // suites whose tools were named
	for _, t := range m.Tools {
		for _, suite := range t.Suites {
			taken[suite] = taken[suite] || len(named[t.Name]) > 0
		}
	}
	var chosen []chosenTool
	for _, t := range m.Tools {
		if refs, ok := named[t.Name]; ok {
			for _, ref := range refs {
				chosen = append(chosen, chosenTool{ref, t.Suites, true})
			}
			continue
		}
		left := slices.DeleteFunc(slices.Clone(t.Suites), func(suite string) bool { return taken[suite] })
		for _, v := range t.Versions {
			if len(left) > 0 && (s.Tier != TierPR || v.Tier == TierPR) {
				chosen = append(chosen, chosenTool{ToolRef{Name: t.Name, Version: v.Version, Source: v}, left, false})
			}
		}
	}
	return chosen, nil
}

// namedTools reads --tool arguments. The same one twice is one; two builds of the user's own would have the
// same name in the report.
func (m *Matrix) namedTools(arguments []string) (map[string][]ToolRef, error) {
	named := map[string][]ToolRef{}
	var errs []error
	for _, argument := range arguments {
		refs, err := m.toolRefs(argument)
		errs = append(errs, err)
		for _, ref := range refs {
			same := func(o ToolRef) bool { return o.ID() == ref.ID() }
			i := slices.IndexFunc(named[ref.Name], same)
			if i < 0 {
				named[ref.Name] = append(named[ref.Name], ref)
			} else if other := named[ref.Name][i]; other.Path != ref.Path {
				errs = append(errs, fmt.Errorf("--tool %s and --tool %s: give one build of your own at a time", other.Flag(), ref.Flag()))
			}
		}
	}
	return named, errors.Join(errs...)
}

// toolRefs reads "gh-ost", "gh-ost=v1.1.8" or "gh-ost=/path". A version that the file does not list comes
// from where the default version comes from, if that is a Go module.
func (m *Matrix) toolRefs(argument string) ([]ToolRef, error) {
	name, version, given := strings.Cut(argument, "=")
	t, ok := m.tool(name)
	if !ok {
		return nil, fmt.Errorf("no tool %q; %s", name, choices(name, m.toolNames()))
	}
	if !given {
		var refs []ToolRef
		for _, v := range t.Versions {
			refs = append(refs, ToolRef{Name: name, Version: v.Version, Source: v})
		}
		return refs, nil
	}
	if isPath(version) {
		source := t.Versions[0]
		source.Path = version
		return []ToolRef{{Name: name, Path: version, Source: source}}, nil
	}
	for _, v := range t.Versions {
		if v.Version == version {
			return []ToolRef{{Name: name, Version: version, Source: v}}, nil
		}
	}
	source := t.Versions[0]
	if known := t.versionNames(); source.Module == nil || version == "" {
		return nil, fmt.Errorf("no version %q of %s; %s, or give a path: %s=/path/to/%s", version, name, choices(version, known), name, name)
	}
	if fix := moduleVersionFix(version); fix != "" {
		return nil, fmt.Errorf("tool %s: version %q: %s", name, version, fix)
	}
	source.Version = version
	return []ToolRef{{Name: name, Version: version, Source: source}}, nil
}

// ResolveTool reads one tool: "gh-ost" (the first version that the file lists), "gh-ost=v1.1.8" or
// "gh-ost=/path".
func (m *Matrix) ResolveTool(argument string) (ToolRef, error) {
	refs, err := m.toolRefs(argument)
	if err != nil {
		return ToolRef{}, err
	}
	return refs[0], nil
}

// ToolOptions are the options that matrix migrate gives a tool.
func (m *Matrix) ToolOptions(name string) []string {
	t, _ := m.tool(name)
	return t.Options
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")
}
