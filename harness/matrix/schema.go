package matrix

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

//go:generate go test -run TestSchemaIsCurrent -update .

// Schema is the JSON Schema of matrix.yaml, generated from the types that it is read into.
func Schema() ([]byte, error) {
	reflector := &jsonschema.Reflector{RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true}
	schema := reflector.Reflect(&Matrix{})
	schema.Title = "matrix.yaml"
	schema.Description = "Server versions, tools under test and known failures"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of matrix.yaml: %w", err)
	}
	return append(text, '\n'), nil
}

// JSONSchemaExtend says what struct tags cannot: a source has exactly one kind.
func (Source) JSONSchemaExtend(s *jsonschema.Schema) {
	one := uint64(1)
	s.MinProperties, s.MaxProperties = &one, &one
}
