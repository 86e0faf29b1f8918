package dump

import (
	"bytes"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// kind is what a token is.
type kind uint8

const (
	symbol  kind = iota // one byte
	word                // a name or keyword without quotes, a number, or a variable with its @
	name                // a name in quotes
	literal             // a string
)

// token is a piece of a statement.
type token struct {
	kind       kind
	text       string // of names and strings: without the quotes
	start, end int    // in the statement
}

// upper is a word in capitals, "" of other tokens.
func (t token) upper() string {
	if t.kind != word {
		return ""
	}
	return strings.ToUpper(t.text)
}

// tokens are the pieces of a statement that the server would read: what stands in comments that it passes over is
// not among them.
type tokens []token

// word says whether the token at i is one of some words.
func (l tokens) word(i int, words ...string) bool {
	return i >= 0 && i < len(l) && slices.Contains(words, l[i].upper())
}

// symbol says whether the token at i is a symbol.
func (l tokens) symbol(i int, text string) bool {
	return i >= 0 && i < len(l) && l[i].kind == symbol && l[i].text == text
}

// sequence says whether words follow one another from i.
func (l tokens) sequence(i int, words ...string) bool {
	for n, one := range words {
		if !l.word(i+n, one) {
			return false
		}
	}
	return true
}

// find is where words follow one another, -1 where they do not.
func (l tokens) find(words ...string) int {
	for i := range l {
		if l.sequence(i, words...) {
			return i
		}
	}
	return -1
}

// tokenize reads a statement's tokens, at most limit of them when it is not 0.
func tokenize(text []byte, f flavor.Flavor, modes Modes, limit int) tokens {
	r := &tokenizer{text: text, flavor: f, modes: modes}
	for r.at < len(text) && (limit == 0 || len(r.list) < limit) {
		r.step()
	}
	return r.list
}

type tokenizer struct {
	text   []byte
	at     int
	flavor flavor.Flavor
	modes  Modes
	depth  int // of conditional comments that count
	list   tokens
}

func (r *tokenizer) step() {
	rest := r.text[r.at:]
	switch c := rest[0]; {
	case c <= ' ':
		r.at++
	case lineComment(rest):
		r.skip(rest, "\n")
	case blockComment(rest):
		r.skip(rest, "*/")
	case bytes.HasPrefix(rest, []byte("/*")):
		r.conditional(rest)
	case r.depth > 0 && bytes.HasPrefix(rest, []byte("*/")):
		r.depth--
		r.at += 2
	case c == '\'' || c == '"' || c == '`':
		r.quoted(c)
	case wordByte(c) || c == '@':
		end := 1
		for end < len(rest) && (wordByte(rest[end]) || rest[end] == '@' && end == 1) {
			end++
		}
		r.add(word, string(rest[:end]), end)
	default:
		r.add(symbol, string(rest[:1]), 1)
	}
}

func (r *tokenizer) add(k kind, text string, length int) {
	r.list = append(r.list, token{k, text, r.at, r.at + length})
	r.at += length
}

func (r *tokenizer) skip(rest []byte, end string) {
	i := bytes.Index(rest, []byte(end))
	if i < 0 {
		r.at = len(r.text)
		return
	}
	r.at += i + len(end)
}

// conditional reads the beginning of /*!NNNNN or /*M!NNNNN, and passes over all of the comment where the server does.
func (r *tokenizer) conditional(rest []byte) {
	at, mariaDB := len("/*!"), bytes.HasPrefix(rest, []byte("/*M!"))
	if mariaDB {
		at++
	}
	number := 0
	for digits := 0; at < len(rest) && digits < r.flavor.CommentDigits() && rest[at] >= '0' && rest[at] <= '9'; at, digits = at+1, digits+1 {
		number = number*10 + int(rest[at]-'0')
	}
	if r.flavor.RunsComment(mariaDB, number) {
		r.depth++
		r.at += at
		return
	}
	r.skip(rest, "*/")
}

func (r *tokenizer) quoted(quote byte) {
	k := literal
	if quote == '`' || quote == '"' && r.modes.AnsiQuotes {
		k = name
	}
	var value []byte
	at := r.at + 1
	for ; at < len(r.text); at++ {
		c := r.text[at]
		if r.modes.wide(c) && at+1 < len(r.text) {
			at++
			value = append(value, c, r.text[at])
			continue
		}
		if c == '\\' && k == literal && !r.modes.NoBackslashEscapes && at+1 < len(r.text) {
			at++
			value = append(value, r.text[at])
			continue
		}
		if c == quote {
			if at+1 >= len(r.text) || r.text[at+1] != quote {
				break
			}
			at++
		}
		value = append(value, c)
	}
	r.add(k, string(value), min(at+1, len(r.text))-r.at)
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
