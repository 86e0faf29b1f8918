package matrix

import (
	"regexp"
	"slices"
	"strings"
)

// OwnTool describes a migration tool that this project has no driver for: how it is run, and what scenarios have to
// know of it.
type OwnTool struct {
	Arguments []string      `yaml:"arguments" json:"arguments" jsonschema:"required,minItems=1,description=of its command; {host} {port} {user} {password_file} {database} {table} {alter} {chunk_size} stand for those of a job"`
	Follows   string        `yaml:"follows" json:"follows" jsonschema:"required,enum=binary-log,enum=triggers,enum=lock,description=how it learns of writes while it copies; lock: there are none"`
	NewTable  string        `yaml:"new_table" json:"new_table,omitempty" jsonschema:"description=name of the table that it builds; {table} stands for the name of the table that is changed"`
	Leaves    []string      `yaml:"leaves" json:"leaves,omitempty" jsonschema:"description=what it may leave when it is killed: table NAME or trigger NAME"`
	Hold      []string      `yaml:"hold" json:"hold,omitempty" jsonschema:"description=arguments by which it does not exchange the tables while {file} exists"`
	Cases     []OwnToolCase `yaml:"cases" json:"cases,omitempty" jsonschema:"description=what it refuses or needs further arguments for"`
	At        Position      `yaml:"-" json:"-"`
}

// OwnToolCase is what a declared tool does with a kind of table, change or surrounding.
type OwnToolCase struct {
	Case      string   `yaml:"case" json:"case" jsonschema:"required"`
	Refuses   string   `yaml:"refuses" json:"refuses,omitempty" jsonschema:"description=regular expression of what it prints when it refuses; a tool that refuses has changed nothing"`
	Arguments []string `yaml:"arguments" json:"arguments,omitempty" jsonschema:"description=that it needs"`
	At        Position `yaml:"-" json:"-"`
}

// The ways in which a declared tool learns of writes.
const (
	FollowsBinaryLog = "binary-log"
	FollowsTriggers  = "triggers"
	FollowsLock      = "lock"
)

// CaseNames are the kinds of tables, changes and surroundings that a declaration can speak of.
var CaseNames = []string{
	"no-key", "nullable-key", "nullable-key-without-null", "float-key", "renamed-key", "replaced-primary-key",
	"swapped-unique-keys", "swapped-columns", "invalid-dates", "large-transactions", "reordered-members",
	"referenced-by-foreign-key", "foreign-key", "trigger", "partial-row-image", "statement-format", "few-privileges",
	"existing-new-table",
}

// Placeholders are what the arguments of a declared tool may have in braces.
var Placeholders = []string{"host", "port", "user", "password_file", "database", "table", "alter", "chunk_size", "file"}

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// validateDeclaration checks a declared tool, and hands the declaration to its versions.
func (m *Matrix) validateDeclaration(d *decoder, t *Tool, what string) {
	for i := range t.Versions {
		v := &t.Versions[i]
		v.Declared = t.Declare
		if v.Program != "" && t.Declare == nil && t.Manager == nil {
			d.problem(v.At.Of("program"), "add declare to the tool: its arguments and how it follows writes; or manager, for a failover manager", "%s %s: no driver knows how to run the program", what, v.Version)
		}
	}
	if t.Declare == nil {
		return
	}
	one := t.Declare
	if !slices.Equal(t.Suites, []string{"migration"}) {
		d.problem(t.At.Of("suites"), "want [migration]", "%s: a declared tool is one of the suite migration", what)
	}
	d.some(one.At, "arguments", len(one.Arguments), what+": declare", "list the arguments of its command")
	follows := []string{FollowsBinaryLog, FollowsTriggers, FollowsLock}
	if !slices.Contains(follows, one.Follows) {
		d.problem(one.At.Of("follows"), suggest(one.Follows, follows), "%s: declare: follows %q", what, one.Follows)
	}
	if len(one.Hold) > 0 && one.NewTable == "" {
		d.problem(one.At.Of("hold"), "add new_table: its first row says that the copy has begun", "%s: declare: a tool that is held builds a table", what)
	}
	for _, text := range slices.Concat(one.Arguments, one.Hold, one.Leaves, []string{one.NewTable}) {
		for _, name := range placeholder.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(Placeholders, name[1]) {
				d.problem(one.At.Line, suggest(name[1], Placeholders), "%s: declare: nothing stands for {%s}", what, name[1])
			}
		}
	}
	for _, c := range one.Cases {
		if !slices.Contains(CaseNames, c.Case) {
			d.problem(c.At.Of("case"), suggest(c.Case, CaseNames), "%s: declare: there is no case %q", what, c.Case)
		}
		if _, err := regexp.Compile(c.Refuses); err != nil {
			d.problem(c.At.Of("refuses"), "", "%s: declare: case %s: %v", what, c.Case, err)
		}
	}
}

// Expand puts values in the place of placeholders.
func Expand(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(s string) string {
		value, ok := values[strings.Trim(s, "{}")]
		if !ok {
			return s
		}
		return value
	})
}
