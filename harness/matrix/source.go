package matrix

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/flavor"
)

// Source is one place that an entry's binaries come from.
type Source struct {
	Declared Declaration
	At       Position
}

// Declaration is what matrix.yaml says of one source.
type Declaration interface {
	// Kind is the source's key in matrix.yaml, under which its kind is registered.
	Kind() string
	// Check reports what is wrong with the declaration.
	Check(Checker)
	// String names the source for humans: "tarball mysql-8.0.33-linux-glibc2.17-x86_64-minimal.tar.xz".
	String() string
}

// Kind is a kind of source. Each registers itself, in the file that implements it.
type Kind struct {
	Name string
	// New is an empty declaration, a pointer to a struct that matrix.yaml is read into.
	New func() Declaration
	// Refer makes a declaration of what follows the kind's name in a reference such as dir:/path. It is nil for kinds
	// that cannot be referred to.
	Refer func(rest string) (Declaration, error)
	// Release lists the sources of one exact release, best first. It is nil for kinds that have none.
	Release func(vendor flavor.Vendor, version flavor.Version, release string) []Declaration
}

// Pinnable is a declaration whose checksum a user can give for one command.
type Pinnable interface {
	Declaration
	// Pin is the declaration with a checksum of that algorithm (md5, sha256, sha512; "" for none), or with leave to
	// record what is seen first. A declaration that has a checksum keeps it.
	Pin(algorithm, checksum string, trustFirstUse bool) Declaration
}

var kinds = map[string]Kind{}

// Register makes a kind known. It is called while packages are initialised.
func Register(k Kind) {
	if _, twice := kinds[k.Name]; twice {
		panic("matrix: kind of source registered twice: " + k.Name)
	}
	kinds[k.Name] = k
}

func kindNames() []string { return slices.Sorted(maps.Keys(kinds)) }

func registered() []Kind {
	list := make([]Kind, 0, len(kinds))
	for _, name := range kindNames() {
		list = append(list, kinds[name])
	}
	return list
}

// referenceKind is the kind that a reference such as dir:/path names.
func referenceKind(ref string) (_ Kind, rest string, ok bool) {
	name, rest, found := strings.Cut(ref, ":")
	if name == "file" { // a URL, as archives have them
		name = "tarball"
	}
	kind, known := kinds[name]
	return kind, rest, found && known && kind.Refer != nil
}

// releaseSources are the sources that the kinds have for an exact release.
func releaseSources(vendor flavor.Vendor, version flavor.Version, release string) []Source {
	var sources []Source
	for _, kind := range registered() {
		if kind.Release == nil {
			continue
		}
		for _, declared := range kind.Release(vendor, version, release) {
			sources = append(sources, Source{Declared: declared})
		}
	}
	return sources
}

// Kind is the source's kind as matrix.yaml names it.
func (s Source) Kind() string {
	if s.Declared == nil {
		return "none"
	}
	return s.Declared.Kind()
}

// MarshalJSON writes a source as matrix.yaml has it: one key, the kind, with what is declared.
func (s Source) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]Declaration{s.Kind(): s.Declared})
}

// source reads one item of an entry's sources.
func (d *decoder) source(node *yaml.Node, s *Source, name string) {
	if node.Kind != yaml.MappingNode {
		d.problem(node.Line, "write keys and values", "%s is a %s", name, kindName(node))
		return
	}
	s.At = Position{Line: node.Line, keys: map[string]int{}, failed: map[string]bool{}}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, content := node.Content[i], node.Content[i+1]
		kind, known := kinds[key.Value]
		if !known {
			d.problem(key.Line, suggest(key.Value, kindNames()), "%s has an unknown key %q", name, key.Value)
			s.At.unknown++
			continue
		}
		s.At.keys[key.Value] = key.Line
		declared := kind.New()
		d.decode(content, reflect.ValueOf(declared).Elem(), name+"."+key.Value)
		if s.Declared == nil {
			s.Declared = declared
		}
	}
}

func (m *Matrix) validateSource(d *decoder, e *Entry, s *Source, what string) {
	if n := len(s.At.keys); n > 1 || n == 0 && s.At.unknown == 0 && s.At.Read() {
		d.problem(s.At.Line, "give exactly one of "+strings.Join(kindNames(), ", ")+"; further sources are further items", "%s has %d kinds", what, n)
	}
	if s.Declared != nil {
		s.Declared.Check(Checker{Entry: e, Dir: filepath.Dir(m.Path), d: d, what: what})
	}
}

// Checker is where a declaration reports its mistakes.
type Checker struct {
	Entry *Entry // that the source belongs to
	Dir   string // the matrix file's folder, which paths are relative to

	d    *decoder
	what string // names the source in messages
}

// Problem reports a mistake and what would be right.
func (c Checker) Problem(line int, fix, format string, args ...any) {
	c.d.problem(line, fix, "%s%s", c.what, fmt.Sprintf(format, args...))
}

// Required reports a key that is missing or empty; the result says that it is there.
func (c Checker) Required(at Position, key, value, fix string) bool {
	return c.d.required(at, key, value, c.what, fix)
}

// Some reports a list that is missing or empty.
func (c Checker) Some(at Position, key string, length int, fix string) {
	c.d.some(at, key, length, c.what, fix)
}

// Release reports a version that is not of the entry's release line.
func (c Checker) Release(at Position, version string) {
	given := c.Required(at, "version", version, `add its release, such as version: "8.0.33"`)
	if given && c.Entry.Series != "" && !strings.HasPrefix(version, c.Entry.Series+".") {
		c.Problem(at.Of("version"), fmt.Sprintf("want a release of %s", c.Entry.Series), ": version %q", version)
	}
}

// Packages reports packages that are not named; part names the part of the source that they are, "" for all of it.
func (c Checker) Packages(a *Apt, part string, wantSuite bool) {
	what := c.what
	if part != "" {
		what += ": " + part
	}
	c.d.packages(a, what, wantSuite)
}

// Checksum reports a checksum that is no hexadecimal number of the right length.
func (c Checker) Checksum(at Position, key, value string) {
	length := checksumLengths[key]
	if value == "" {
		return
	}
	if len(value) != length {
		c.Problem(at.Of(key), fmt.Sprintf("want %d", length), ": %s has %d digits", key, len(value))
	} else if _, err := hex.DecodeString(value); err != nil {
		c.Problem(at.Of(key), "want hexadecimal digits", ": %s is %q", key, value)
	}
}

// checksumLengths are in hexadecimal digits, by the key that a checksum has in matrix.yaml.
var checksumLengths = map[string]int{"md5": 32, "sha256": 64, "sha512": 128}

// Trusting is the entry with the user's word on its archives: their checksum, or leave to take them as they
// come and record what was seen. A source that has a checksum keeps it.
func (e Entry) Trusting(checksum string, firstUse bool) (Entry, error) {
	if _, err := hex.DecodeString(checksum); err != nil {
		return e, fmt.Errorf("--checksum %q: want hexadecimal digits", checksum)
	}
	algorithm := ""
	for name, length := range checksumLengths {
		if len(checksum) == length {
			algorithm = name
		}
	}
	if algorithm == "" && checksum != "" {
		return e, errors.New("--checksum: want an MD5 (32), SHA-256 (64) or SHA-512 (128 hexadecimal digits)")
	}
	e.Sources = slices.Clone(e.Sources)
	for i, s := range e.Sources {
		if p, ok := s.Declared.(Pinnable); ok {
			e.Sources[i].Declared = p.Pin(algorithm, checksum, firstUse)
		}
	}
	return e, nil
}
