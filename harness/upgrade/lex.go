package upgrade

import (
	"strings"
)

// kind is what a token is.
type kind uint8

const (
	symbol kind = iota // one byte that is no part of a word
	word               // a name, keyword or number without quotes
	name               // a name in back quotes
	text               // a string in quotes
)

// token is a piece of a statement; what is in a conditional comment counts, what is in a plain one does not.
type token struct {
	kind kind
	text string // without quotes
	at   int    // its place in the statement, in bytes
}

func (t token) is(words ...string) bool {
	if t.kind != word {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(t.text, w) {
			return true
		}
	}
	return false
}

// lex takes a statement apart.
func lex(sql string) []token {
	var list []token
	for i := 0; i < len(sql); {
		rest := sql[i:]
		switch c := sql[i]; {
		case c <= ' ':
			i++
		case c == '#' || strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
			i += span(rest, "\n")
		case strings.HasPrefix(rest, "/*!"), strings.HasPrefix(rest, "/*M!"):
			i += strings.IndexByte(rest, '!') + 1
			for i < len(sql) && sql[i] >= '0' && sql[i] <= '9' {
				i++
			}
		case strings.HasPrefix(rest, "/*"):
			i += span(rest, "*/")
		case strings.HasPrefix(rest, "*/"):
			i += 2
		case c == '`' || c == '\'' || c == '"':
			n := quotedLength(rest)
			k := text
			if c == '`' {
				k = name
			}
			list = append(list, token{k, strings.Trim(rest[:n], string(c)), i})
			i += n
		case letter(c):
			n := 1
			for n < len(rest) && letter(rest[n]) {
				n++
			}
			list = append(list, token{word, rest[:n], i})
			i += n
		default:
			list = append(list, token{symbol, string(c), i})
			i++
		}
	}
	return list
}

func letter(c byte) bool {
	return c == '_' || c == '$' || c == '@' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// span is how far a text goes, its end included.
func span(s, end string) int {
	if i := strings.Index(s[1:], end); i >= 0 {
		return i + 1 + len(end)
	}
	return len(s)
}

// quotedLength is the length of a quoted text, with both quotes.
func quotedLength(s string) int {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote != '`':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// sequence finds words that follow one another; -1 is not found.
func sequence(list []token, words ...string) int {
	for i := range list {
		found := i+len(words) <= len(list)
		for n := 0; found && n < len(words); n++ {
			found = list[i+n].is(words[n])
		}
		if found {
			return i
		}
	}
	return -1
}

// lineOf is the line of a place in a statement that begins on a line of a file.
func lineOf(first int, sql string, at int) int {
	return first + strings.Count(sql[:min(at, len(sql))], "\n")
}
