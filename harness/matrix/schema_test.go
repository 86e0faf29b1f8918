package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestSchemaIsCurrent(t *testing.T) {
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "matrix.schema.json", string(schema))
	if schema, err = DeclarationsSchema(); err != nil {
		t.Fatal(err)
	}
	golden(t, "expectations.schema.json", string(schema))
}

func TestEditorsFindTheSchema(t *testing.T) {
	text, err := os.ReadFile("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != "# yaml-language-server: $schema=harness/matrix/matrix.schema.json" {
		t.Errorf("first line: %s", first)
	}
}

// A struct tag ends a description at a comma; what follows would be lost without a word.
func TestDescriptionsAreWhole(t *testing.T) {
	schema := fmt.Sprint(committedSchema(t)) + fmt.Sprint(schemaIn(t, "expectations.schema.json"))
	files, err := filepath.Glob("../basedir/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("the kinds of sources are not found: %v", err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
	for _, file := range append(files, "types.go", "expectation.go", "declarations.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`jsonschema:"[^"]*description=([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(schema, match[1]) {
				t.Errorf("%s: not in the schema: %s", file, match[1])
			}
		}
	}
}

func TestSchemaAcceptsKnownFailures(t *testing.T) {
	files, err := filepath.Glob("../../fixtures/expectations/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of known failures: %v", err)
	}
	v := validator{schemaIn(t, "expectations.schema.json")}
	for _, file := range files {
		if errs := v.check(v.root, yamlDocument(t, file), filepath.Base(file)); len(errs) > 0 {
			t.Error(strings.Join(errs, "\n"))
		}
	}
	errs := strings.Join(v.check(v.root, yamlDocument(t, "testdata/mistakes/gh-ost.yaml"), "gh-ost.yaml"), "\n")
	for _, want := range []string{`expectations[3]: unknown key errors`, `"fedora" is none of`, "expectations[4].servers: 0 items", "expectations[1]: no link"} {
		if !strings.Contains(errs, want) {
			t.Errorf("the schema does not find %q in:\n%s", want, errs)
		}
	}
}

func TestSchemaAcceptsMatrix(t *testing.T) {
	document := yamlDocument(t, "../../matrix.yaml")
	v := validator{committedSchema(t)}
	if errs := v.check(v.root, document, "matrix.yaml"); len(errs) > 0 {
		t.Error(strings.Join(errs, "\n"))
	}
}

// What an editor can know, it says: the schema finds the mistakes of form in mistakes.yaml.
func TestSchemaFindsMistakes(t *testing.T) {
	v := validator{committedSchema(t)}
	document := yamlDocument(t, "testdata/mistakes.yaml")
	golden(t, "testdata/schema.golden", strings.Join(v.check(v.root, document, "mistakes.yaml"), "\n")+"\n")
}

func committedSchema(t *testing.T) map[string]any { return schemaIn(t, "matrix.schema.json") }

func schemaIn(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// yamlDocument reads a file as an editor does: by nodes, since keys may be there twice.
func yamlDocument(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		t.Fatal(err)
	}
	return plain(node.Content[0])
}

func plain(node *yaml.Node) any {
	switch {
	case node.Kind == yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			m[node.Content[i].Value] = plain(node.Content[i+1])
		}
		return m
	case node.Kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			list = append(list, plain(item))
		}
		return list
	case node.Tag == "!!float" || node.Tag == "!!int":
		return json.Number(node.Value)
	case node.Tag == "!!bool":
		return node.Value == "true"
	default:
		return node.Value
	}
}

// validator checks the part of JSON Schema that the generated schema uses.
type validator struct{ root map[string]any }

func (v validator) check(schema map[string]any, value any, at string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		schema = v.root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if got := typeOf(value); got != schema["type"] && (got != "integer" || schema["type"] != "number") {
		return []string{fmt.Sprintf("%s: %s, want %s", at, got, schema["type"])}
	}
	switch value := value.(type) {
	case map[string]any:
		return v.object(schema, value, at)
	case []any:
		var errs []string
		if least, ok := schema["minItems"].(float64); ok && len(value) < int(least) {
			errs = append(errs, fmt.Sprintf("%s: %d items", at, len(value)))
		}
		for i, item := range value {
			errs = append(errs, v.check(schema["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return errs
	case string:
		if allowed, ok := schema["enum"].([]any); ok && !slices.Contains(allowed, any(value)) {
			return []string{fmt.Sprintf("%s: %q is none of %v", at, value, allowed)}
		}
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(value) {
			return []string{fmt.Sprintf("%s: %q does not match %s", at, value, pattern)}
		}
	}
	return nil
}

func (v validator) object(schema map[string]any, value map[string]any, at string) []string {
	var errs []string
	properties := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if _, ok := value[key.(string)]; !ok {
			errs = append(errs, fmt.Sprintf("%s: no %s", at, key))
		}
	}
	if most, ok := schema["maxProperties"].(float64); ok && len(value) > int(most) {
		errs = append(errs, fmt.Sprintf("%s: %d keys", at, len(value)))
	}
	if least, ok := schema["minProperties"].(float64); ok && len(value) < int(least) {
		errs = append(errs, fmt.Sprintf("%s: %d keys", at, len(value)))
	}
	for _, key := range slices.Sorted(maps.Keys(value)) {
		property, ok := properties[key].(map[string]any)
		if !ok {
			errs = append(errs, fmt.Sprintf("%s: unknown key %s", at, key))
			continue
		}
		errs = append(errs, v.check(property, value[key], at+"."+key)...)
	}
	return errs
}

func typeOf(value any) string {
	switch value := value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case bool:
		return "boolean"
	case json.Number:
		if _, err := value.Int64(); err == nil {
			return "integer"
		}
		return "number"
	default:
		return "string"
	}
}
