package upgrade

import (
	"slices"
	"strings"
)

// Object is something that a server holds: a table, a view, a routine, an account.
type Object struct {
	Kind   string `json:"kind"` // database, table, view, procedure, function, trigger, event, sequence, account, query, option
	Schema string `json:"schema,omitempty"`
	Name   string `json:"name"`
}

// String is "procedure shop.total".
func (o Object) String() string {
	if o.Schema == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Schema + "." + o.Name
}

// key is the object as dumps and servers agree on it: names of tables may differ in case.
func (o Object) key() string { return strings.ToLower(o.String()) }

// made are the kinds of object that a statement can make.
var made = []string{"DATABASE", "SCHEMA", "TABLE", "VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "SEQUENCE", "USER", "ROLE"}

// subject is what a statement makes, changes, drops or fills; ok is false where it is about none.
func subject(list []token, schema string) (o Object, ok bool) {
	if len(list) < 2 || list[0].kind != word {
		return o, false
	}
	at := -1
	switch verb := strings.ToUpper(list[0].text); verb {
	case "CREATE", "ALTER", "DROP", "RENAME":
		at = slices.IndexFunc(list, func(t token) bool { return t.is(made...) })
	case "INSERT", "REPLACE":
		at = slices.IndexFunc(list, func(t token) bool { return t.is("INTO") })
	case "LOCK", "TRUNCATE":
		at = slices.IndexFunc(list, func(t token) bool { return t.is("TABLE", "TABLES") })
	case "GRANT", "REVOKE":
		at = slices.IndexFunc(list, func(t token) bool { return t.is("TO", "FROM") })
	}
	if list[0].is("SET") && list[1].is("PASSWORD") {
		at = slices.IndexFunc(list, func(t token) bool { return t.is("FOR") })
	}
	if at < 0 {
		return o, false
	}
	o.Kind = kindOf(list[0], list[at])
	at++
	for at < len(list) && list[at].is("IF", "NOT", "EXISTS") {
		at++
	}
	return named(list, at, o, schema)
}

func kindOf(verb, noun token) string {
	switch {
	case noun.is("SCHEMA"):
		return "database"
	case noun.is("USER", "ROLE", "TO", "FROM", "FOR"):
		return "account"
	case noun.is("INTO", "TABLES") || verb.is("TRUNCATE"):
		return "table"
	}
	return strings.ToLower(noun.text)
}

// named reads the object's name at a place of the statement.
func named(list []token, at int, o Object, schema string) (Object, bool) {
	if at >= len(list) || list[at].kind == symbol {
		return o, false
	}
	o.Name = list[at].text
	switch o.Kind {
	case "database":
		return o, true
	case "account":
		host := "%"
		if at+2 < len(list) && list[at+1].text == "@" {
			host = list[at+2].text
		} else if user, rest, found := strings.Cut(o.Name, "@"); found {
			o.Name, host = user, rest
		} else if at+1 < len(list) && list[at+1].kind == word && strings.HasPrefix(list[at+1].text, "@") {
			if host = strings.TrimPrefix(list[at+1].text, "@"); host == "" && at+2 < len(list) {
				host = list[at+2].text
			}
		}
		o.Name += "@" + host
		return o, true
	}
	o.Schema = schema
	if at+2 < len(list) && list[at+1].text == "." {
		o.Schema, o.Name = list[at].text, list[at+2].text
	}
	return o, true
}
