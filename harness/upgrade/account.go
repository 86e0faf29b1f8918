package upgrade

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// accountQueries read accounts with their authentication: MySQL 5.7 and MariaDB, then MySQL 5.6, whose hashes are in a column
// of their own.
var accountQueries = []string{
	"SELECT User, Host, plugin, authentication_string, '' FROM mysql.user WHERE authentication_string <> '' OR plugin <> ''",
	"SELECT User, Host, plugin, authentication_string, Password FROM mysql.user",
}

// readAccounts reads the accounts that are neither the server's nor the sandbox's own, with their grants.
func (s *snapshot) readAccounts(ctx context.Context, side *side) error {
	a, err := ask(ctx, side.conn, accountQueries[1])
	if err == nil && a.failed() {
		a, err = must(ctx, side.conn, accountQueries[0])
	}
	if err != nil {
		return err
	}
	for _, row := range a.rows {
		o := Object{Kind: "account", Name: string(row[0]) + "@" + string(row[1])}
		if ownAccount(o.Name) {
			continue
		}
		set := attributes{"plugin": string(row[2]), "authentication": string(row[3])}
		if set["plugin"] == "" {
			set["plugin"] = "mysql_native_password"
		}
		if set["authentication"] == "" {
			set["authentication"] = string(row[4])
		}
		grants, err := ask(ctx, side.conn, "SHOW GRANTS FOR '"+string(row[0])+"'@'"+string(row[1])+"'")
		if err != nil {
			return err
		}
		for _, g := range grants.rows {
			addGrants(set, string(g[0]))
		}
		s.objects[o] = set
	}
	words, err := ask(ctx, side.conn, "SHOW PRIVILEGES")
	if err != nil {
		return err
	}
	for _, row := range words.rows {
		s.privileges[strings.ToUpper(string(row[0]))] = true
	}
	return nil
}

var (
	grantLine = regexp.MustCompile(`(?is)^GRANT (.+?) ON (.+?) TO (.+)$`)
	roleLine  = regexp.MustCompile(`(?is)^GRANT (.+?) TO `)
)

const grantPrefix = "grant "

// addGrants puts each privilege of one line of SHOW GRANTS among the attributes.
func addGrants(set attributes, line string) {
	m := grantLine.FindStringSubmatch(line)
	if m == nil {
		if role := roleLine.FindStringSubmatch(line); role != nil {
			set[grantPrefix+"role "+strings.ReplaceAll(role[1], "`", "")] = "yes"
		}
		return
	}
	on := strings.ReplaceAll(m[2], "`", "")
	for _, privilege := range splitOutside(m[1]) {
		if p := strings.ToUpper(strings.ReplaceAll(privilege, "`", "")); p != "USAGE" && p != "PROXY" {
			set[grantPrefix+p+" on "+on] = "yes"
		}
	}
	if strings.Contains(strings.ToUpper(m[3]), "WITH GRANT OPTION") && !strings.Contains(m[1], "PROXY") {
		set[grantPrefix+"GRANT OPTION on "+on] = "yes"
	}
}

// splitOutside splits at commas that stand outside of brackets.
func splitOutside(list string) []string {
	var out []string
	depth, start := 0, 0
	for i, c := range list {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(list[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(list[start:]))
}

// grantDifferences are the privileges that one server's account has and the other's lacks. A privilege that the old server
// has no word for is part of what an old one is split into; ALL PRIVILEGES may be written out.
func grantDifferences(old, new attributes, words map[string]bool) (lost, gained []string) {
	all := func(set attributes, on string) bool {
		return set[grantPrefix+"ALL PRIVILEGES on "+on] != "" || len(set) > 25 && set[grantPrefix+"SELECT on "+on] != "" && set[grantPrefix+"TRIGGER on "+on] != ""
	}
	for key := range old {
		privilege, isGrant := strings.CutPrefix(key, grantPrefix)
		if _, on, _ := strings.Cut(privilege, " on "); isGrant && new[key] == "" && !all(new, on) {
			lost = append(lost, privilege)
		}
	}
	for key := range new {
		privilege, isGrant := strings.CutPrefix(key, grantPrefix)
		p, on, _ := strings.Cut(privilege, " on ")
		p, _, _ = strings.Cut(p, " (")
		known := words[p] || p == "ALL PRIVILEGES" || strings.HasPrefix(p, "role ") || p == "GRANT OPTION"
		if isGrant && old[key] == "" && known && !all(old, on) {
			gained = append(gained, privilege)
		}
	}
	slices.Sort(lost)
	slices.Sort(gained)
	return lost, gained
}
