package matrix

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Selection chooses cells. Empty lists choose all.
type Selection struct {
	Entries []string // names, patterns, vendor@release, dir:/path
	Suites  []string // names or patterns
	Tools   []string // tool, tool=version or tool=/path
	Tier    Tier
}

// Plan lists the chosen cells, in the order of the file. A choice that matches nothing is an error that
// says what there is.
func (m *Matrix) Plan(s Selection) ([]Cell, error) {
	entries, entryErr := m.chooseEntries(s)
	suites, suiteErr := choose(Suites, s.Suites, "suite")
	tools, toolErr := m.chooseTools(s)
	if err := errors.Join(entryErr, suiteErr, toolErr); err != nil {
		return nil, err
	}
	var cells []Cell
	for _, e := range entries {
		for _, suite := range suites {
			for _, t := range tools {
				if slices.Contains(t.suites, suite) {
					cells = append(cells, Cell{Entry: e, Suite: suite, Tool: t.ref})
				}
			}
		}
	}
	if len(cells) == 0 {
		return nil, fmt.Errorf("nothing to run: no suite of %s tests the tools %s", strings.Join(suites, ", "), strings.Join(s.Tools, ", "))
	}
	return cells, nil
}

// cells are all the cells of the file.
func (m *Matrix) cells() []Cell {
	cells, err := m.Plan(Selection{})
	if err != nil {
		return nil // a file without tools or entries, which is a problem of its own
	}
	return cells
}

func (m *Matrix) chooseEntries(s Selection) ([]Entry, error) {
	inTier := func(e Entry) bool { return s.Tier != TierPR || e.Tier == TierPR }
	if len(s.Entries) == 0 {
		return slices.DeleteFunc(slices.Clone(m.Entries), func(e Entry) bool { return !inTier(e) }), nil
	}
	var chosen []Entry
	add := func(e Entry) {
		if !slices.ContainsFunc(chosen, func(o Entry) bool { return o.Name == e.Name }) {
			chosen = append(chosen, e)
		}
	}
	for _, pattern := range s.Entries {
		if !strings.ContainsAny(pattern, "*?[") {
			e, err := m.Resolve(pattern)
			if err != nil {
				return nil, err
			}
			add(e) // named in full: whatever its tier
			continue
		}
		matched := false
		for _, e := range m.Entries {
			if ok, err := path.Match(pattern, e.Name); err != nil {
				return nil, fmt.Errorf("entry pattern %q: %w", pattern, err)
			} else if ok {
				matched = true
				if inTier(e) {
					add(e)
				}
			}
		}
		if !matched {
			return nil, fmt.Errorf("no entry matches %q; there are %s", pattern, strings.Join(m.entryNames(), ", "))
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no entry of tier %s matches %s", s.Tier, strings.Join(s.Entries, ", "))
	}
	return chosen, nil
}

func choose(all, patterns []string, what string) ([]string, error) {
	if len(patterns) == 0 {
		return all, nil
	}
	var chosen []string
	for _, pattern := range patterns {
		before := len(chosen)
		for _, name := range all {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("%s pattern %q: %w", what, pattern, err)
			}
			if ok {
				chosen = append(chosen, name)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no %s matches %q; %s", what, pattern, suggest(pattern, all))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !slices.Contains(chosen, name) }), nil
}

type chosenTool struct {
	ref    ToolRef
	suites []string
}

// chooseTools lists the tool versions to run: those of the tier, or those named. Naming one tool leaves
// only the named tools in the suites that test it.
func (m *Matrix) chooseTools(s Selection) ([]chosenTool, error) {
	named := map[string][]ToolRef{}
	taken := map[string]bool{} // suites whose tools were named
	for _, argument := range s.Tools {
		ref, t, err := m.toolRef(argument)
		if err != nil {
			return nil, err
		}
		named[t.Name] = append(named[t.Name], ref...)
		for _, suite := range t.Suites {
			taken[suite] = true
		}
	}
	var chosen []chosenTool
	for _, t := range m.Tools {
		if refs, ok := named[t.Name]; ok {
			for _, ref := range refs {
				chosen = append(chosen, chosenTool{ref, t.Suites})
			}
			continue
		}
		left := slices.DeleteFunc(slices.Clone(t.Suites), func(suite string) bool { return taken[suite] })
		for _, v := range t.Versions {
			if len(left) > 0 && (s.Tier != TierPR || v.Tier == TierPR) {
				chosen = append(chosen, chosenTool{ToolRef{Name: t.Name, Version: v.Version, Source: v}, left})
			}
		}
	}
	return chosen, nil
}

// toolRef reads "gh-ost", "gh-ost=v1.1.8" or "gh-ost=/path". A version that the file does not list comes
// from where its default version comes from, if that is a Go module.
func (m *Matrix) toolRef(argument string) ([]ToolRef, Tool, error) {
	name, version, given := strings.Cut(argument, "=")
	i := slices.IndexFunc(m.Tools, func(t Tool) bool { return t.Name == name })
	if i < 0 {
		var names []string
		for _, t := range m.Tools {
			names = append(names, t.Name)
		}
		return nil, Tool{}, fmt.Errorf("no tool %q; %s", name, suggest(name, names))
	}
	t := m.Tools[i]
	if !given {
		var refs []ToolRef
		for _, v := range t.Versions {
			refs = append(refs, ToolRef{Name: name, Version: v.Version, Source: v})
		}
		return refs, t, nil
	}
	if strings.HasPrefix(version, "/") || strings.HasPrefix(version, "./") || strings.HasPrefix(version, "../") {
		source := t.Versions[0]
		source.Path = version
		return []ToolRef{{Name: name, Path: version, Source: source}}, t, nil
	}
	var known []string
	for _, v := range t.Versions {
		if v.Version == version {
			return []ToolRef{{Name: name, Version: version, Source: v}}, t, nil
		}
		known = append(known, v.Version)
	}
	if t.Versions[0].Module == nil || version == "" {
		return nil, t, fmt.Errorf("no version %q of %s; there are %s, or give a path", version, name, strings.Join(known, ", "))
	}
	source := t.Versions[0]
	source.Version = version
	return []ToolRef{{Name: name, Version: version, Source: source}}, t, nil
}
