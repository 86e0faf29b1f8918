// Package trackrecord lists bugs that this project has shown on real servers, and says whether a run shows one of them.
package trackrecord

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/report"
)

// Issue is one bug and how to see it.
type Issue struct {
	Name  string `yaml:"name"`
	Bug   string `yaml:"bug"`   // what happens, to whom
	Tool  string `yaml:"tool"`  // tool=version
	Entry string `yaml:"entry"` // the server it is shown on
	Suite string `yaml:"suite"`
	Specs string `yaml:"specs"` // a regular expression on specs: each of them shows the bug
	Error string `yaml:"error"` // a regular expression on what they say
	Link  string `yaml:"link"`
	Found string `yaml:"found"` // by what it was found here
	Seen  string `yaml:"seen"`  // when and where it was last shown: "2026-11-28 on MariaDB 11.8.9"

	specs, error *regexp.Regexp
}

// Read reads the list. An error names every mistake.
func Read(path string) ([]Issue, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("track record: %w", err)
	}
	var file struct {
		Issues []Issue `yaml:"issues"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("track record %s: %w", path, err)
	}
	var errs []error
	seen := map[string]bool{}
	for i := range file.Issues {
		err := file.Issues[i].check()
		if seen[file.Issues[i].Name] {
			err = errors.New("it is there twice")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("track record %s: row %d, %q: %w", path, i+1, file.Issues[i].Name, err))
		}
		seen[file.Issues[i].Name] = true
	}
	return file.Issues, errors.Join(errs...)
}

func (i *Issue) check() error {
	for _, field := range []string{i.Name, i.Bug, i.Tool, i.Entry, i.Suite, i.Specs, i.Error, i.Link, i.Found, i.Seen} {
		if strings.TrimSpace(field) == "" {
			return errors.New("want name, bug, tool, entry, suite, specs, error, link, found and seen")
		}
	}
	if day, server, _ := strings.Cut(i.Seen, " on "); !isDay(day) || server == "" {
		return fmt.Errorf("seen is %q, want a day and a server such as 2026-11-28 on MariaDB 11.8.9", i.Seen)
	}
	var specsErr, errorErr error
	i.specs, specsErr = regexp.Compile(i.Specs)
	i.error, errorErr = regexp.Compile(i.Error)
	return errors.Join(specsErr, errorErr)
}

func isDay(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// SeenIn is when and where a run has shown the issue, as Seen has it; "" where it has not.
func (i Issue) SeenIn(run *report.Run) string {
	if _, shown := i.Shown(run); !shown {
		return ""
	}
	for c := range run.Cells {
		if s := run.Cells[c].Server; s.Version != "" {
			number, _, _ := strings.Cut(s.Version, "-")
			return run.Started.UTC().Format(time.DateOnly) + " on " + vendorNames[s.Vendor] + " " + number
		}
	}
	return ""
}

var vendorNames = map[flavor.Vendor]string{flavor.MySQL: "MySQL", flavor.Percona: "Percona Server", flavor.MariaDB: "MariaDB"}

// Record writes when and where an issue was last shown into the list's file, and leaves everything else as it is.
func Record(path, name, seen string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("track record: %w", err)
	}
	row := regexp.MustCompile(`(?m)^  - name: ` + regexp.QuoteMeta(name) + `$(?:\n    .*)*?\n    seen: (.*)$`).FindSubmatchIndex(text)
	if row == nil {
		return fmt.Errorf("track record %s: row %q has no line that begins with seen", path, name)
	}
	text = slices.Concat(text[:row[2]], []byte(seen), text[row[3]:])
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("track record: %w", err)
	}
	return nil
}

// Find finds an issue by its name.
func Find(list []Issue, name string) (Issue, error) {
	var names []string
	for _, one := range list {
		if one.Name == name {
			return one, nil
		}
		names = append(names, one.Name)
	}
	return Issue{}, fmt.Errorf("no issue %q; there are %s", name, strings.Join(names, ", "))
}

// Matches is what the specs of the issue are called.
func (i Issue) Matches() *regexp.Regexp { return i.specs }

// Shown says whether a run shows the bug: every one of its specs has ended with the error. The text says what they did.
func (i Issue) Shown(run *report.Run) (string, bool) {
	shown, specs := 0, 0
	var others []string
	for c := range run.Cells {
		for s := range run.Cells[c].Specs {
			spec := &run.Cells[c].Specs[s]
			if !i.specs.MatchString(spec.Text) {
				continue
			}
			specs++
			broken := spec.Verdict == report.VerdictKnown || spec.Verdict == report.VerdictFailed
			if broken && i.error.MatchString(spec.Error) {
				shown++
				continue
			}
			others = append(others, fmt.Sprintf("%s: %s", spec.Text, spec.Verdict))
		}
	}
	switch {
	case specs == 0:
		for c := range run.Cells {
			if why := cmp.Or(run.Cells[c].Error, run.Cells[c].Reason); why != "" {
				return "none of its specs ran: " + report.ErrorLine(why), false
			}
		}
		return "none of its specs ran: none of the suite is called " + i.Specs, false
	case shown < specs:
		return "not as it was: " + strings.Join(others, "; "), false
	}
	return fmt.Sprintf("%d of %d specs show it: %s", shown, specs, i.Bug), true
}

// Markdown is the list as a page for readers.
func Markdown(list []Issue) string {
	var text strings.Builder
	text.WriteString(`# Track record

Bugs that this project shows on real servers. Each row has the command that shows it: it obtains the server and the tool,
runs the specs, and fails if the bug does not show. The nightly run has all of them.

| bug | tool | found by | last reproduced | shown by |
| --- | --- | --- | --- | --- |
`)
	for _, i := range list {
		fmt.Fprintf(&text, "| %s ([link](%s)) | %s | %s | %s | `make issue NAME=%s` |\n", i.Bug, i.Link, strings.Replace(i.Tool, "=", " ", 1), i.Found, i.Seen, i.Name)
	}
	text.WriteString("\nMade of `fixtures/track-record.yaml` by `make docs`.\n")
	return text.String()
}
