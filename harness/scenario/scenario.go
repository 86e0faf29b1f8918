// Package scenario reads migration scenarios that are folders of SQL files, for people who write no Go.
package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// The files of a scenario's folder.
const (
	createFile = "create.sql"
	loadFile   = "load.sql"
	alterFile  = "alter"
	writesFile = "writes.sql"
	expectFile = "expect.yaml"
)

// Files are the files of a scenario's folder, all of which it must have.
func Files() []string { return []string{createFile, loadFile, alterFile, writesFile, expectFile} }

// Scenario is a table, its rows, the change, and what is written meanwhile. All statements are about the table t.
type Scenario struct {
	Folder string   // its name
	Create []string // statements that make the table; a server that refuses them does not support the scenario
	Load   []string // statements that fill it
	Alter  string   // what follows ALTER TABLE t
	// Writes are transactions, which are repeated in turn until the tool has ended.
	Writes [][]string
	Expect Expect
}

// Expect is what the scenario is about and what must come of it.
type Expect struct {
	// Name is what a report calls the scenario: the condition, in plain words.
	Name string `yaml:"name"`
	// Key are columns by which rows are compared, unique and not NULL; KeyAfter are their names after the change.
	Key      []string `yaml:"key"`
	KeyAfter []string `yaml:"key_after"`
	// Refused is by tool a regular expression on what the tool prints when it refuses the change, as it must.
	Refused map[string]string `yaml:"refused"`
	// Full leaves the scenario out of the pr tier.
	Full bool `yaml:"full"`
}

// ReadAll reads all scenarios in the folders of a file system. An error names every mistake of every folder.
func ReadAll(files fs.FS) ([]Scenario, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("scenarios: %w", err)
	}
	var all []Scenario
	var errs []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		one, err := Read(files, e.Name())
		all, errs = append(all, one), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// Read reads one scenario's folder.
func Read(files fs.FS, folder string) (Scenario, error) {
	s := Scenario{Folder: folder}
	var errs []error
	text := func(name string) string {
		content, err := fs.ReadFile(files, path.Join(folder, name))
		if err != nil {
			errs = append(errs, fmt.Errorf("scenario %s: %s is missing: a scenario has %s", folder, name, strings.Join(Files(), ", ")))
		}
		return string(content)
	}
	statements := func(name string) [][]string {
		content := text(name)
		list, err := split(content)
		if err != nil {
			errs = append(errs, fmt.Errorf("scenario %s: %s:%w", folder, name, err))
		} else if len(list) == 0 && content != "" {
			errs = append(errs, fmt.Errorf("scenario %s: %s has no statement", folder, name))
		}
		return list
	}
	for _, group := range statements(createFile) {
		s.Create = append(s.Create, group...)
	}
	for _, group := range statements(loadFile) {
		s.Load = append(s.Load, group...)
	}
	s.Writes = statements(writesFile)
	s.Alter = strings.TrimSuffix(strings.TrimSpace(text(alterFile)), ";")
	decoder := yaml.NewDecoder(strings.NewReader(text(expectFile)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s.Expect); err != nil && !errors.Is(err, io.EOF) {
		errs = append(errs, fmt.Errorf("scenario %s: %s: %w", folder, expectFile, err))
	}
	if len(errs) == 0 {
		errs = append(errs, s.check())
	}
	return s, errors.Join(errs...)
}

// check finds what the suite would stumble over.
func (s Scenario) check() error {
	var errs []error
	problem := func(file, format string, args ...any) {
		errs = append(errs, fmt.Errorf("scenario %s: %s: %s", s.Folder, file, fmt.Sprintf(format, args...)))
	}
	if s.Alter == "" {
		problem(alterFile, "it is empty: want what follows ALTER TABLE t, such as ADD COLUMN note INT")
	}
	if len(s.Expect.Key) == 0 {
		problem(expectFile, "want key: the columns by which rows are compared, such as [id]")
	}
	if n := len(s.Expect.KeyAfter); n > 0 && n != len(s.Expect.Key) {
		problem(expectFile, "key_after has %d columns and key %d", n, len(s.Expect.Key))
	}
	for tool, pattern := range s.Expect.Refused {
		if _, err := regexp.Compile(pattern); err != nil || pattern == "" {
			problem(expectFile, "refused: %s: %q is no regular expression on what the tool prints", tool, pattern)
		}
	}
	return errors.Join(errs...)
}

// Title is the scenario's name in a report.
func (s Scenario) Title() string {
	if s.Expect.Name != "" {
		return s.Expect.Name
	}
	return s.Folder
}

// round stands in writes.sql for the number of the round, from 1: it makes keys that are new each time.
const round = "{n}"

// Write is the transaction of a number, from 0.
func (s Scenario) Write(number int) []string {
	statements := make([]string, len(s.Writes[number%len(s.Writes)]))
	for i, text := range s.Writes[number%len(s.Writes)] {
		statements[i] = strings.ReplaceAll(text, round, strconv.Itoa(number/len(s.Writes)+1))
	}
	return statements
}

// split reads statements, each of which ends in a semicolon at the end of a line, in groups parted by empty lines. Lines
// that begin with -- are comments.
func split(text string) (groups [][]string, err error) {
	var group, lines []string
	closeGroup := func() {
		if len(group) > 0 {
			groups, group = append(groups, group), nil
		}
	}
	begin, number := 0, 0
	scanner := bytes.NewBufferString(text)
	for {
		line, readErr := scanner.ReadString('\n')
		number++
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" && len(lines) == 0:
			closeGroup()
		case strings.HasPrefix(trimmed, "--"):
		case strings.HasSuffix(trimmed, ";"):
			group = append(group, strings.Join(append(lines, strings.TrimSuffix(trimmed, ";")), "\n"))
			lines = nil
		case trimmed != "":
			if len(lines) == 0 {
				begin = number
			}
			lines = append(lines, trimmed)
		}
		if readErr != nil {
			break
		}
	}
	closeGroup()
	if len(lines) > 0 {
		return nil, fmt.Errorf("%d: a statement without an end: want a semicolon at the end of its last line", begin)
	}
	return groups, nil
}
