package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const schemaFile = "run.schema.json"

func TestRunSchemaIsCurrent(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(committed, text) {
		t.Errorf("%s is not current (%v): go generate ./harness/report", schemaFile, err)
	}
}

// conforms checks the part of JSON Schema that the generated schema uses.
func conforms(root, schema map[string]any, value any, at string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/$defs/")
		return conforms(root, root["$defs"].(map[string]any)[name].(map[string]any), value, at)
	}
	var faults []string
	if want, ok := schema["const"]; ok && fmt.Sprint(want) != fmt.Sprint(value) {
		faults = append(faults, fmt.Sprintf("%s is %v, want %v", at, value, want))
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, value) {
		faults = append(faults, fmt.Sprintf("%s is %v, want one of %v", at, value, enum))
	}
	var is string
	switch v := value.(type) {
	case map[string]any:
		is = "object"
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				faults = append(faults, fmt.Sprintf("%s has no %s", at, name))
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		for name, inner := range v {
			if one, ok := properties[name].(map[string]any); ok {
				faults = append(faults, conforms(root, one, inner, at+"."+name)...)
			} else {
				faults = append(faults, fmt.Sprintf("%s has %s, of which the schema says nothing", at, name))
			}
		}
	case []any:
		is = "array"
		for i, inner := range v {
			faults = append(faults, conforms(root, schema["items"].(map[string]any), inner, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case string:
		is = "string"
	case bool:
		is = "boolean"
	case float64:
		is = "number"
	}
	if want, ok := schema["type"].(string); ok && want != is && !(want == "integer" && is == "number") {
		faults = append(faults, fmt.Sprintf("%s is a %s, want a %s", at, is, want))
	}
	return faults
}

func TestRunsConformToTheSchema(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	check := func(text string) []string {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		return conforms(schema, schema, value, "run")
	}
	each(t, func(t *testing.T, _ string, _ []Event, run *Run) {
		var b bytes.Buffer
		if err := WriteJSON(&b, run); err != nil {
			t.Fatal(err)
		}
		if faults := check(b.String()); len(faults) > 0 {
			t.Errorf("run.json is not as its schema says: %v", faults)
		}
	})
	for _, c := range []struct{ bad, want string }{
		{`{"version":1,"status":"complete","seconds":1,"cells":[]}`, "run.version is 1"},
		{`{"version":2,"status":"splendid","seconds":1,"cells":[]}`, "run.status is splendid"},
		{`{"version":2,"status":"complete","seconds":1}`, "run has no cells"},
		{`{"version":2,"status":"complete","seconds":1,"cells":[{"id":{"entry":"e","suite":"s"},"total":1,"state":"finished","seconds":"2","verdict":"ok"}]}`, "verdict is ok"},
	} {
		if faults := check(c.bad); !strings.Contains(strings.Join(faults, "; "), c.want) {
			t.Errorf("%s: %v, want %q", c.bad, faults, c.want)
		}
	}
}
