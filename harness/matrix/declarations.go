package matrix

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// DeclarationFile is a file of known failures of one tool, by whose name it is called.
type DeclarationFile struct {
	Expectations []Expectation `yaml:"expectations" json:"expectations" jsonschema:"required,description=failures that are known"`
	At           Position      `yaml:"-" json:"-"`
}

const declarationsExt = ".yaml"

// loadDeclarations reads every file of the folder that matrix.yaml names.
func (m *Matrix) loadDeclarations(d *decoder) Problems {
	if m.Expectations == "" {
		return nil
	}
	folder := filepath.Join(filepath.Dir(m.Path), m.Expectations)
	entries, err := os.ReadDir(folder)
	if err != nil {
		d.problem(m.At.Of("expectations"), "want a folder of files such as gh-ost.yaml, relative to the matrix file", "expectations: %v", err)
		return nil
	}
	var problems Problems
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), declarationsExt); ok && !e.IsDir() {
			problems = append(problems, m.loadDeclared(filepath.Join(folder, e.Name()), name)...)
		}
	}
	return problems
}

// loadDeclared reads the known failures of one tool.
func (m *Matrix) loadDeclared(path, tool string) Problems {
	file := filepath.ToSlash(filepath.Join(m.Expectations, filepath.Base(path)))
	text, err := os.ReadFile(path)
	if err != nil {
		return Problems{{File: file, What: err.Error(), Fix: "make it readable"}}
	}
	m.sum.Write(text)
	root, problem := parse(file, text)
	if problem != nil {
		return Problems{*problem}
	}
	d := &decoder{file: file}
	var declared DeclarationFile
	d.decode(root, reflect.ValueOf(&declared).Elem(), "")
	d.some(declared.At, "expectations", len(declared.Expectations), "the file", "list at least one, or remove the file")
	for i := range declared.Expectations {
		x := &declared.Expectations[i]
		m.validateExpectation(d, x)
		if x.tool != "" && x.tool != tool {
			d.problem(x.At.Of("tool"), "declare it in "+x.tool+declarationsExt, "expectation of %s in the file of %s", x.tool, tool)
		}
	}
	if len(d.problems) == 0 {
		d.overlaps(declared.Expectations)
	}
	m.Known = append(m.Known, declared.Expectations...)
	return d.problems.sorted()
}

// overlaps reports declarations of the same specs, of which only the first would ever be looked at. Regular expressions
// that differ are taken for different specs here; a run finds out whether they are.
func (d *decoder) overlaps(all []Expectation) {
	for i := range all {
		for j := range all[:i] {
			if a, b := &all[j], &all[i]; a.overlaps(b) {
				d.problem(b.At.Line, "narrow servers, tool, build or specs of one, or join them", "expectation speaks of specs, servers and versions that line %d speaks of", a.At.Line)
			}
		}
	}
}

func (x *Expectation) overlaps(other *Expectation) bool {
	all := func(x *Expectation) bool { return x.Specs == "" && x.Except == "" }
	if x.BlocksCell() != other.BlocksCell() {
		return false // what blocks a cell comes first
	}
	same := x.Specs == other.Specs && x.Except == other.Except || all(x) || all(other)
	return same && x.Suite == other.Suite && x.tool == other.tool && x.versions.Overlaps(other.versions) &&
		(x.Build == "" || other.Build == "" || x.Build == other.Build) &&
		slices.ContainsFunc(x.servers, func(a serverRange) bool {
			return slices.ContainsFunc(other.servers, func(b serverRange) bool { return a.vendor == b.vendor && a.Overlaps(b.Range) })
		})
}
