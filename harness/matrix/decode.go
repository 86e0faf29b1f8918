package matrix

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/flavor"
)

// vendorNames are the vendors as matrix.yaml names them.
var vendorNames = []string{flavor.MySQL.String(), flavor.Percona.String(), flavor.MariaDB.String()}

// Problem is one mistake in a matrix file.
type Problem struct {
	File string
	Line int
	What string
	Fix  string // what would be right
}

// String is "matrix.yaml:12: what; what would be right".
func (p Problem) String() string {
	text := fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What)
	if p.Line == 0 { // of the file as a whole
		text = p.What
	}
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// Problems are all the mistakes in a matrix file, in the order of their lines.
type Problems []Problem

// Error has one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Position is where a mapping, its keys and the items of its lists stand in the file.
type Position struct {
	Line  int
	keys  map[string]int
	items map[string][]int

	unknown int             // keys that were not read, each a problem of its own
	failed  map[string]bool // keys whose values have been reported
}

// Read says whether there was a mapping; what stands there instead has been reported.
func (p Position) Read() bool { return p.Line > 0 }

// Has says whether the mapping has a key, well read or not.
func (p Position) Has(key string) bool { return p.keys[key] > 0 }

// Of is the line of a key, or of the mapping when it lacks the key.
func (p Position) Of(key string) int {
	if line, ok := p.keys[key]; ok {
		return line
	}
	return p.Line
}

// Item is the line of one item of the list under a key.
func (p Position) Item(key string, i int) int {
	if lines := p.items[key]; i < len(lines) {
		return lines[i]
	}
	return p.Of(key)
}

// decoder fills Go values from YAML nodes and gathers every mistake on the way. yaml.v3's own strict mode
// stops at the first type error of a value, names Go types, and takes 10.10 for a string without a word.
type decoder struct {
	file     string
	problems Problems
}

func (d *decoder) problem(line int, fix, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, What: fmt.Sprintf(format, args...), Fix: fix})
}

// decode fills a value from a node; name is how the value is called in messages.
func (d *decoder) decode(node *yaml.Node, value reflect.Value, name string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if value.Kind() == reflect.Pointer {
		value.Set(reflect.New(value.Type().Elem()))
		value = value.Elem()
	}
	if vendor, ok := value.Addr().Interface().(*flavor.Vendor); ok {
		if err := vendor.UnmarshalText([]byte(node.Value)); err != nil {
			d.problem(node.Line, suggest(node.Value, vendorNames), "%s: there is no vendor %q", name, node.Value)
		}
		return
	}
	if source, ok := value.Addr().Interface().(*Source); ok {
		d.source(node, source, name)
		return
	}
	switch value.Kind() {
	case reflect.Struct:
		d.mapping(node, value, name)
	case reflect.Slice:
		d.sequence(node, value, name)
	case reflect.String:
		d.text(node, value, name)
	case reflect.Bool:
		b, err := strconv.ParseBool(node.Value)
		if err != nil || node.Tag != "!!bool" {
			d.problem(node.Line, "write true or false", "%s is %q", name, node.Value)
			return
		}
		value.SetBool(b)
	case reflect.Int64:
		n, err := strconv.ParseInt(node.Value, 10, 64)
		if err != nil || n < 0 {
			d.problem(node.Line, "write a whole number", "%s is %q", name, node.Value)
			return
		}
		value.SetInt(n)
	default:
		panic("matrix: no decoding for " + value.Type().String())
	}
}

func (d *decoder) text(node *yaml.Node, value reflect.Value, name string) {
	switch {
	case node.Kind != yaml.ScalarNode:
		d.problem(node.Line, "write one value", "%s is a %s", name, kindName(node))
	case node.Tag == "!!float" || node.Tag == "!!int":
		read := node.Value
		if f, err := strconv.ParseFloat(node.Value, 64); err == nil {
			read = strconv.FormatFloat(f, 'g', -1, 64)
		}
		d.problem(node.Line, fmt.Sprintf("quote it: %q", node.Value), "%s: %s is not quoted and YAML reads the number %s", name, node.Value, read)
	case node.Tag == "!!bool":
		d.problem(node.Line, fmt.Sprintf("quote it: %q", node.Value), "%s: %s is not quoted and YAML reads a truth value", name, node.Value)
	case node.Tag == "!!null":
		d.problem(node.Line, "give it a value or leave the key out", "%s is empty", name)
	default:
		value.SetString(node.Value)
	}
}

func (d *decoder) sequence(node *yaml.Node, value reflect.Value, name string) {
	if node.Kind != yaml.SequenceNode {
		d.problem(node.Line, "write a list", "%s is a %s", name, kindName(node))
		return
	}
	value.Set(reflect.MakeSlice(value.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		d.decode(item, value.Index(i), fmt.Sprintf("%s[%d]", name, i))
	}
}

func (d *decoder) mapping(node *yaml.Node, value reflect.Value, name string) {
	if node.Kind != yaml.MappingNode {
		d.problem(node.Line, "write keys and values", "%s is a %s", named(name), kindName(node))
		return
	}
	fields, known := fieldsOf(value.Type())
	at := Position{Line: node.Line, keys: map[string]int{}, items: map[string][]int{}, failed: map[string]bool{}}
	pairs := d.merged(node, name, 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		key, content := pairs[i], pairs[i+1]
		if name == "" && strings.HasPrefix(key.Value, extensionPrefix) {
			continue // a place for anchors, which the rest refers to
		}
		index, ok := fields[key.Value]
		if !ok {
			d.problem(key.Line, suggest(key.Value, known), "%s has an unknown key %q", named(name), key.Value)
			at.unknown++
			continue
		}
		if first, twice := at.keys[key.Value]; twice {
			d.problem(key.Line, fmt.Sprintf("keep one of lines %d and %d", first, key.Line), "%s has the key %q twice", named(name), key.Value)
			continue
		}
		at.keys[key.Value] = key.Line
		if content.Kind == yaml.SequenceNode {
			for _, item := range content.Content {
				at.items[key.Value] = append(at.items[key.Value], item.Line)
			}
		}
		before := len(d.problems)
		d.decode(content, value.Field(index), strings.TrimPrefix(name+"."+key.Value, "."))
		at.failed[key.Value] = len(d.problems) > before
	}
	if field := value.FieldByName("At"); field.IsValid() {
		field.Set(reflect.ValueOf(at))
	}
}

// extensionPrefix begins outermost keys that are passed over.
const extensionPrefix = "x-"

// mergeDepth is how deep mappings may merge others: an anchor that merges itself would have no end.
const mergeDepth = 8

// merged are the keys and values of a mapping, with those that it merges ("<<", YAML 1.1) after its own, where it has none of
// the same name.
func (d *decoder) merged(node *yaml.Node, name string, depth int) []*yaml.Node {
	var own, merges []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; key.Value == "<<" && key.Tag == "!!merge" {
			merges = append(merges, node.Content[i+1])
		} else {
			own = append(own, key, node.Content[i+1])
		}
	}
	for _, m := range merges {
		sources := []*yaml.Node{m}
		if m.Kind == yaml.SequenceNode {
			sources = m.Content
		}
		for _, source := range sources {
			if source.Kind == yaml.AliasNode {
				source = source.Alias
			}
			if source.Kind != yaml.MappingNode || depth >= mergeDepth {
				d.problem(m.Line, "merge a mapping with an anchor, such as <<: *common", "%s merges a %s", named(name), kindName(source))
				continue
			}
			own = addMissing(own, d.merged(source, name, depth+1))
		}
	}
	return own
}

// addMissing adds the pairs whose keys are not there yet.
func addMissing(pairs, more []*yaml.Node) []*yaml.Node {
	for i := 0; i+1 < len(more); i += 2 {
		there := false
		for j := 0; j < len(pairs); j += 2 {
			there = there || pairs[j].Value == more[i].Value
		}
		if !there {
			pairs = append(pairs, more[i], more[i+1])
		}
	}
	return pairs
}

// named is how messages call a value; the outermost has no name.
func named(name string) string {
	if name == "" {
		return "the file"
	}
	return name
}

func fieldsOf(t reflect.Type) (fields map[string]int, names []string) {
	fields = map[string]int{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = i
			names = append(names, name)
		}
	}
	return fields, names
}

func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	default:
		return "single value"
	}
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
	return ps
}
