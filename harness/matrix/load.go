package matrix

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"

	"gopkg.in/yaml.v3"
)

// Load reads a matrix file. When it has mistakes the error is Problems: all of them at once, each with
// file and line, what is wrong and what would be right.
func Load(file string) (*Matrix, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, Problems{{File: file, What: err.Error(), Fix: "name a file with --matrix"}}
	}
	root, problem := parse(file, text)
	if problem != nil {
		return nil, Problems{*problem}
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("matrix file: %w", err)
	}
	d := &decoder{file: file}
	m := &Matrix{Path: absolute, sum: sha256.New()}
	m.sum.Write(text)
	d.decode(root, reflect.ValueOf(m).Elem(), "")
	m.validate(d)
	declared := m.loadDeclarations(d)
	if problems := append(d.problems.sorted(), declared...); len(problems) > 0 {
		return nil, problems
	}
	m.Digest = hex.EncodeToString(m.sum.Sum(nil))
	return m, nil
}

// parse reads the one YAML document of a file.
func parse(file string, text []byte) (*yaml.Node, *Problem) {
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	err := documents.Decode(&first)
	if errors.Is(err, io.EOF) || err == nil && len(first.Content) == 0 {
		return nil, &Problem{File: file, Line: 1, What: "the file is empty", Fix: "list tools and entries"}
	}
	if err == nil {
		err = documents.Decode(&second)
	}
	switch {
	case err == nil:
		return nil, &Problem{File: file, Line: second.Line, What: "a second YAML document begins", Fix: "remove the line ---: a matrix is one document"}
	case !errors.Is(err, io.EOF):
		return nil, yamlProblem(file, err)
	}
	return first.Content[0], nil
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// yamlProblem finds the line in an error of the YAML parser, which has no field for it.
func yamlProblem(file string, err error) *Problem {
	p := &Problem{File: file, Line: 1, What: err.Error(), Fix: "correct the YAML first; the rest is checked after that"}
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		if _, scanErr := fmt.Sscan(match[1], &p.Line); scanErr == nil {
			p.What = match[2]
		}
	}
	return p
}
