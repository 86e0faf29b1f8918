package matrix

import (
	"cmp"
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
	// Baseline is the listed version whose known failures a build of the user's own is judged by; "" is the newest listed of which
	// failures are known, NoBaseline none.
	Baseline string
}

// NoBaseline judges builds of the user's own as if nothing were known.
const NoBaseline = "none"

// Plan lists the chosen cells, in the order of the file; entries beyond it come last. A choice that matches
// nothing is an error that says what there is.
func (m *Matrix) Plan(s Selection) ([]Cell, error) {
	entries, entryErr := m.chooseEntries(s)
	suites, suiteErr := chooseSuites(s.Suites)
	tools, toolErr := m.chooseTools(s)
	if err := errors.Join(entryErr, suiteErr, toolErr); err != nil {
		return nil, err
	}
	var cells []Cell
	for _, e := range entries {
		for _, suite := range suites {
			for _, t := range tools {
				if slices.Contains(t.suites, suite) && (len(e.Suites) == 0 || slices.Contains(e.Suites, suite)) {
					cells = append(cells, Cell{Entry: e, Suite: suite, Tool: t.ref})
				}
			}
		}
	}
	if len(cells) == 0 {
		return nil, m.nothingToRun(s, suites)
	}
	if err := idle(tools, suites); err != nil {
		return nil, err
	}
	return cells, nil
}

// nothingToRun says why entries, suites and tools that there are have no cell in common.
func (m *Matrix) nothingToRun(s Selection, suites []string) error {
	var tests []string
	for _, t := range m.Tools {
		tests = append(tests, fmt.Sprintf("%s (%s)", t.Name, strings.Join(t.Suites, ", ")))
	}
	tier := ""
	if s.Tier != "" {
		tier = fmt.Sprintf(" of tier %s", s.Tier)
	}
	return fmt.Errorf("nothing to run%s in %s; the tools and their suites are %s", tier, strings.Join(suites, ", "), strings.Join(tests, ", "))
}

// idle is an error when a tool was named that none of the chosen suites tests: it would be left out in silence.
func idle(tools []chosenTool, suites []string) error {
	var errs []error
	for _, t := range tools {
		if t.named && !slices.ContainsFunc(t.suites, func(suite string) bool { return slices.Contains(suites, suite) }) {
			errs = append(errs, fmt.Errorf("tool %s is tested in %s, not in %s", t.ref.Name, strings.Join(t.suites, ", "), strings.Join(suites, ", ")))
		}
	}
	return errors.Join(errs...)
}

func (m *Matrix) entryNames() []string {
	names := make([]string, len(m.Entries))
	for i, e := range m.Entries {
		names[i] = e.Name
	}
	return names
}

func (m *Matrix) chooseEntries(s Selection) ([]Entry, error) {
	inTier := func(e Entry) bool { return s.Tier != TierPR || e.Tier == TierPR }
	if len(s.Entries) == 0 {
		return slices.DeleteFunc(slices.Clone(m.Entries), func(e Entry) bool { return !inTier(e) }), nil
	}
	var chosen []Entry
	var errs []error
	add := func(e Entry) {
		if !slices.ContainsFunc(chosen, func(o Entry) bool { return o.Name == e.Name }) {
			chosen = append(chosen, e)
		}
	}
	for _, pattern := range s.Entries {
		if !isPattern(pattern) {
			e, err := m.Resolve(pattern)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			add(e) // named in full: whatever its tier
			continue
		}
		matched, err := m.matchEntries(pattern)
		if err != nil {
			errs = append(errs, err)
		}
		for _, e := range matched {
			if inTier(e) {
				add(e)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no entry of tier %s matches %s; there are %s", s.Tier, strings.Join(s.Entries, ", "), strings.Join(m.entryNames(), ", "))
	}
	slices.SortStableFunc(chosen, func(a, b Entry) int { return cmp.Compare(m.rank(a), m.rank(b)) })
	return chosen, nil
}

// Select finds the entries that one reference means, and whether it names one in full. A pattern may match several.
func (m *Matrix) Select(ref string) (entries []Entry, named bool, err error) {
	if isPattern(ref) {
		entries, err = m.matchEntries(ref)
		return entries, false, err
	}
	e, err := m.Resolve(ref)
	return []Entry{e}, true, err
}

// isPattern tells a pattern from a name; a folder may have any of its characters in its path.
func isPattern(s string) bool {
	_, _, own := referenceKind(s)
	return strings.ContainsAny(s, "*?[") && !own
}

func (m *Matrix) matchEntries(pattern string) ([]Entry, error) {
	var matched []Entry
	for _, e := range m.Entries {
		if ok, err := path.Match(pattern, e.Name); err != nil {
			return nil, fmt.Errorf("entry pattern %q: %w", pattern, err)
		} else if ok {
			matched = append(matched, e)
		}
	}
	if len(matched) == 0 {
		return nil, fmt.Errorf("no entry matches %q; there are %s", pattern, strings.Join(m.entryNames(), ", "))
	}
	return matched, nil
}

// rank orders entries as the file does; those beyond it come after.
func (m *Matrix) rank(e Entry) int {
	if i := slices.IndexFunc(m.Entries, func(o Entry) bool { return o.Name == e.Name }); i >= 0 {
		return i
	}
	return len(m.Entries)
}

func chooseSuites(patterns []string) ([]string, error) {
	if len(patterns) == 0 {
		return Suites, nil
	}
	var chosen []string
	var errs []error
	for _, pattern := range patterns {
		before := len(chosen)
		for _, name := range Suites {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("suite pattern %q: %w", pattern, err)
			}
			if ok {
				chosen = append(chosen, name)
			}
		}
		if len(chosen) == before {
			errs = append(errs, fmt.Errorf("no suite matches %q; %s", pattern, choices(pattern, Suites)))
		}
	}
	inOrder := slices.DeleteFunc(slices.Clone(Suites), func(name string) bool { return !slices.Contains(chosen, name) })
	return inOrder, errors.Join(errs...)
}
