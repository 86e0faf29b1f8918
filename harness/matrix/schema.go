package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	"github.com/invopop/jsonschema"
)

//go:generate go test -run TestSchemaIsCurrent -update .

// Schema is the JSON Schema of matrix.yaml, generated from the types that it is read into.
func Schema() ([]byte, error) {
	reflector := &jsonschema.Reflector{RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true}
	schema := reflector.Reflect(&Matrix{})
	for _, kind := range registered() {
		maps.Copy(schema.Definitions, (&jsonschema.Reflector{RequiredFromJSONSchemaTags: true, Anonymous: true}).Reflect(kind.New()).Definitions)
	}
	schema.PatternProperties = map[string]*jsonschema.Schema{"^" + extensionPrefix: jsonschema.TrueSchema}
	schema.Title = "matrix.yaml"
	schema.Description = "Server versions and tools under test"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of matrix.yaml: %w", err)
	}
	return append(text, '\n'), nil
}

// DeclarationsSchema is the JSON Schema of a file of known failures.
func DeclarationsSchema() ([]byte, error) {
	schema := (&jsonschema.Reflector{RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true}).Reflect(&DeclarationFile{})
	schema.Title = "expectations"
	schema.Description = "Known failures of one tool"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of known failures: %w", err)
	}
	return append(text, '\n'), nil
}

// JSONSchema says that a source is one of the registered kinds; what each kind declares is in a definition of its own.
func (Source) JSONSchema() *jsonschema.Schema {
	one := uint64(1)
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema,
		MinProperties: &one, MaxProperties: &one}
	for _, kind := range registered() {
		s.Properties.Set(kind.Name, &jsonschema.Schema{Ref: "#/$defs/" + reflect.TypeOf(kind.New()).Elem().Name()})
	}
	return s
}
