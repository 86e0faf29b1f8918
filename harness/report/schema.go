package report

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

//go:generate go test -run TestRunSchemaIsCurrent -update .

// Schema is the JSON Schema of run.json, generated from the types that it is written from. Readers must allow for
// properties that it does not have yet: added ones do not change the version.
func Schema() ([]byte, error) {
	reflector := &jsonschema.Reflector{ExpandedStruct: true, Anonymous: true, AllowAdditionalProperties: true}
	schema := reflector.Reflect(&Run{})
	schema.Title = "run.json"
	schema.Description = fmt.Sprintf("Results of one run of the matrix, version %d", Version)
	if version, ok := schema.Properties.Get("version"); ok {
		version.Const = Version
	}
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of run.json: %w", err)
	}
	return append(text, '\n'), nil
}

// JSONSchema lists the verdicts' words.
func (Verdict) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range Verdicts() {
		s.Enum = append(s.Enum, v.String())
	}
	return s
}

// JSONSchema lists the states' words.
func (State) JSONSchema() *jsonschema.Schema { return wordsSchema(states[1:]) }

// JSONSchema lists the statuses' words.
func (RunStatus) JSONSchema() *jsonschema.Schema { return wordsSchema(runStatuses[1:]) }

func wordsSchema(words []string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, w := range words {
		s.Enum = append(s.Enum, w)
	}
	return s
}
