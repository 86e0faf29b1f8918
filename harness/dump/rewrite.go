package dump

import (
	"slices"
	"strings"
)

// cut is a part of a statement that is replaced.
type cut struct {
	start, end int
	by         string
}

// rewrite leaves out of a definition what concerns accounts and files: the account that a view or routine runs as is
// the sandbox's, and tables lie in the data directory.
func rewrite(text []byte, list tokens, object string) (string, []Left) {
	var cuts []cut
	var left []Left
	if object == "VIEW" || isRoutine(object) {
		if c, ok := definer(list); ok {
			cuts = append(cuts, c)
		}
	}
	if object == "TABLE" || object == "DATABASE" || object == "SCHEMA" {
		for _, p := range places(list) {
			cuts, left = append(cuts, p.cut), append(left, Left{p.what + " of " + list.title(), WhyFiles})
		}
		for _, c := range encryptions(list) {
			cuts, left = append(cuts, c), append(left, Left{"ENCRYPTION of " + list.title(), WhyKeys})
		}
		slices.SortFunc(cuts, func(a, b cut) int { return a.start - b.start })
	}
	return replaced(text, cuts), left
}

// definer finds DEFINER = account.
func definer(list tokens) (c cut, found bool) {
	i := list.find("DEFINER")
	if i < 0 || !list.symbol(i+1, "=") || i+2 >= len(list) {
		return c, false
	}
	last := i + 2
	if last+1 < len(list) && list[last+1].text == "@" && last+2 < len(list) {
		last += 2
	} else if last+1 < len(list) && list[last+1].kind == word && strings.HasPrefix(list[last+1].text, "@") {
		last++
	}
	return cut{list[i].start, list[last].end, "DEFINER=CURRENT_USER"}, true
}

// encryptions finds ENCRYPTION = 'Y', outside of the parentheses of columns.
func encryptions(list tokens) (found []cut) {
	for i, t := range list {
		value := i + 1
		if list.symbol(value, "=") {
			value++
		}
		if t.upper() == "ENCRYPTION" && value < len(list) && list[value].kind == literal && strings.EqualFold(list[value].text, "Y") {
			found = append(found, cut{list[value].start, list[value].end, "'N'"})
		}
	}
	return found
}

// ownTablespaces need no file of their own making.
var ownTablespaces = []string{"INNODB_SYSTEM", "INNODB_FILE_PER_TABLE", "INNODB_TEMPORARY"}

// location is a table's option that says where its file lies.
type location struct {
	cut
	what string
}

// places finds the options of a definition that say where files lie. A column may be called tablespace.
func places(list tokens) (found []location) {
	depth := 0
	for i := range list {
		switch {
		case list.symbol(i, "("):
			depth++
		case list.symbol(i, ")"):
			depth--
		case list.sequence(i, "DATA", "DIRECTORY"), list.sequence(i, "INDEX", "DIRECTORY"):
			if c, ok := option(list, i, i+2); ok && list[c.last].kind == literal {
				found = append(found, location{c.cut, list[i].upper() + " DIRECTORY"})
			}
		case depth == 0 && list.word(i, "TABLESPACE") && !list.word(i-1, "DISCARD", "IMPORT"):
			if c, ok := option(list, i, i+1); ok && !slices.Contains(ownTablespaces, strings.ToUpper(list[c.last].text)) {
				found = append(found, location{c.cut, "TABLESPACE"})
			}
		}
	}
	return found
}

// valued is an option with its value, the token at last.
type valued struct {
	cut
	last int
}

// option is the part of a statement from an option's name to its value and the comma behind it.
func option(list tokens, from, value int) (v valued, ok bool) {
	if list.symbol(value, "=") {
		value++
	}
	if value >= len(list) || list[value].kind == symbol {
		return v, false
	}
	end := list[value].end
	if list.symbol(value+1, ",") {
		end = list[value+1].end
	}
	return valued{cut{list[from].start, end, ""}, value}, true
}

func replaced(text []byte, cuts []cut) string {
	if len(cuts) == 0 {
		return string(text)
	}
	var b strings.Builder
	at := 0
	for _, c := range cuts {
		b.Write(text[at:c.start])
		b.WriteString(c.by)
		at = c.end
	}
	b.Write(text[at:])
	return b.String()
}

// CheckChange says why a change (what follows ALTER TABLE t) must not be tried: it would reach out of the sandbox, or
// is more than one statement.
func (j *Judge) CheckChange(change string) string {
	splitter := NewSplitter(strings.NewReader(change), j.Flavor)
	first, err := splitter.Next()
	if err != nil {
		return "it is empty"
	}
	list := tokenize(first.Text, j.Flavor, Modes{}, 0)
	why := harmful(list)
	for _, p := range places(list) {
		why = WhyFiles + " (" + p.what + ")"
	}
	if list.find("EXCHANGE", "PARTITION") >= 0 {
		why = "it changes two tables at once, and no tool's copy of the one can be exchanged with the other"
	}
	if list.find("DISCARD", "TABLESPACE") >= 0 || list.find("IMPORT", "TABLESPACE") >= 0 {
		why = WhyFiles
	}
	if _, err := splitter.Next(); err == nil {
		return "it is more than one statement"
	}
	return why
}
