package matrix

import (
	"slices"
	"strings"
)

// OwnManager describes a failover manager that this project has no driver for: how it is run, and how it is asked what it
// has done.
type OwnManager struct {
	Arguments []string `yaml:"arguments" json:"arguments" jsonschema:"required,minItems=1,description=of its command; {servers} is name=host:port of each parted by commas; {user} {password_file} {replication_user} {replication_password} its accounts; {port} a free port of 127.0.0.1; {dir} a folder of its own"`
	Ask       Ask      `yaml:"ask" json:"ask" jsonschema:"required,description=where its recoveries are asked for; the answer is a JSON array with an object for each; the manager is ready once it answers"`
	Recovery  Recovery `yaml:"recovery" json:"recovery" jsonschema:"required,description=the fields of an object by which it tells of a recovery; a field of a field is written with a dot"`
	Page      string   `yaml:"page" json:"page,omitempty" jsonschema:"description=address of its page for a browser"`
	At        Position `yaml:"-" json:"-"`
}

// Ask is a question to a manager: exactly one of URL and Command is set.
type Ask struct {
	URL     string   `yaml:"url" json:"url,omitempty" jsonschema:"description=asked by GET"`
	Command []string `yaml:"command" json:"command,omitempty" jsonschema:"description=a program and its arguments; {program} is the manager's own"`
	At      Position `yaml:"-" json:"-"`
}

// Recovery names the fields of what a manager answers. One without a new primary is an alert.
type Recovery struct {
	Dead      string   `yaml:"dead" json:"dead" jsonschema:"required,description=server that has failed by name or as host:port"`
	Promoted  string   `yaml:"promoted" json:"promoted" jsonschema:"required,description=the new primary; null or empty where there is none"`
	Done      string   `yaml:"done" json:"done,omitempty" jsonschema:"description=true when it has ended; left out: always"`
	Error     string   `yaml:"error" json:"error,omitempty" jsonschema:"description=why it has failed"`
	Followers string   `yaml:"followers" json:"followers,omitempty" jsonschema:"description=an array of the servers that follow the new primary"`
	Reason    string   `yaml:"reason" json:"reason,omitempty" jsonschema:"description=in the manager's words"`
	At        Position `yaml:"-" json:"-"`
}

// ManagerPlaceholders are what the texts of a declared manager may have in braces.
var ManagerPlaceholders = []string{"servers", "user", "password_file", "replication_user", "replication_password", "port", "dir", "program"}

// validateManager checks a declared failover manager, and hands the declaration to its versions.
func (m *Matrix) validateManager(d *decoder, t *Tool, what string) {
	one := t.Manager
	for i := range t.Versions {
		t.Versions[i].Manager = one
	}
	if one == nil {
		return
	}
	if t.Declare != nil {
		d.problem(one.At.Line, "give one of them", "%s: it has declare and manager", what)
	}
	if !slices.Equal(t.Suites, []string{"failover"}) {
		d.problem(t.At.Of("suites"), "want [failover]", "%s: a declared manager is one of the suite failover", what)
	}
	d.some(one.At, "arguments", len(one.Arguments), what+": manager", "list the arguments of its command")
	if one.Ask.At.Read() && (one.Ask.URL == "") == (len(one.Ask.Command) == 0) {
		d.problem(one.Ask.At.Line, "give exactly one of url, command", "%s: manager: ask says not where", what)
	}
	for name, value := range map[string]string{"dead": one.Recovery.Dead, "promoted": one.Recovery.Promoted} {
		d.required(one.Recovery.At, name, value, what+": manager: recovery", "name the field")
	}
	for _, text := range slices.Concat(one.Arguments, one.Ask.Command, []string{one.Ask.URL, one.Page}) {
		for _, name := range placeholder.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(ManagerPlaceholders, name[1]) {
				d.problem(one.At.Line, suggest(name[1], ManagerPlaceholders), "%s: manager: nothing stands for {%s}", what, strings.TrimSpace(name[1]))
			}
		}
	}
}
