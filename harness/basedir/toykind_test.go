package basedir

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/matrix"
)

// A kind of source is one file. This one is whole: what it declares, its check, how it is asked for and how it is built.

func init() {
	matrix.Register(matrix.Kind{Name: "toy", New: func() matrix.Declaration { return new(Toy) }})
}

// Toy is a server that says a version and does nothing else.
type Toy struct {
	Says string          `yaml:"says" json:"says" jsonschema:"required,description=what it answers to --version"`
	At   matrix.Position `yaml:"-" json:"-"`
}

func (t *Toy) Kind() string   { return "toy" }
func (t *Toy) String() string { return "toy " + t.Says }

func (t *Toy) Check(c matrix.Checker) { c.Required(t.At, "says", t.Says, "add what it answers") }

func (t *Toy) open(*Store, matrix.Entry, string) source { return toy{t} }

type toy struct{ *Toy }

func (t toy) key() (string, error)      { return cacheKey("toy", digest(recipe, t.Says)), nil }
func (t toy) ask(context.Context) error { return nil }
func (t toy) build(_ context.Context, dir, _ string) (content, error) {
	path := filepath.Join(dir, "bin", "mysqld")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return content{}, err
	}
	return content{id: t.Says}, os.WriteFile(path, []byte("#!/bin/sh\necho '"+t.Says+"'\n"), 0o755)
}

// TestKindIsOneFile: matrix.yaml may name the toy, its schema knows it, mistakes have their lines, and it is obtained.
func TestKindIsOneFile(t *testing.T) {
	load := func(source string) (*matrix.Matrix, error) {
		file := filepath.Join(t.TempDir(), "matrix.yaml")
		text := `tools: [{name: embedded, suites: [failover], versions: [{version: builtin, tier: pr, builtin: true}]}]
entries:
  - name: mysql-8.0
    vendor: mysql
    series: "8.0"
    tier: pr
    sources:
      - ` + source + "\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return matrix.Load(file)
	}
	if _, err := load("toy: {say: x}"); err == nil || !strings.Contains(err.Error(), `matrix.yaml:8: entries[0].sources[0].toy has an unknown key "say"; did you mean "says"?`) {
		t.Errorf("an unknown key: %v", err)
	}
	m, err := load(`toy: {says: "` + mysqlVersion + `"}`)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := matrix.Schema()
	if err != nil || !strings.Contains(string(schema), "what it answers to --version") {
		t.Errorf("the schema does not know the toy: %v", err)
	}
	s := newStore(t)
	from, err := s.Obtainable(t.Context(), m.Entries[0])
	if err != nil || !strings.HasPrefix(from, "toy ") {
		t.Errorf("obtainable from %q, %v", from, err)
	}
	b, err := s.Obtain(t.Context(), m.Entries[0], "")
	if err != nil || b.Flavor.String() != "mysql 8.0.36" || !strings.HasPrefix(b.Source, "toy ") {
		t.Errorf("obtained %+v, %v", b, err)
	}
}
