// Package dump reads a user's SQL dump, statement by statement as the servers' own clients do, and says which of the
// statements a sandbox may run.
package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"mysqlmatrix/harness/flavor"
)

const (
	// readSize is how much of a file is read at a time.
	readSize = 1 << 18
	// statementLimit is the longest statement that a server takes (max_allowed_packet).
	statementLimit = 1 << 30
)

// Statement is one statement of a dump. Text is valid until the next one is read.
type Statement struct {
	Text []byte
	Line int // where it begins, from 1
}

// SessionModes are the settings of a session that decide where a statement ends: what ParseModes reads.
const SessionModes = "SELECT @@SESSION.sql_mode, @@SESSION.character_set_client"

// Modes are what SessionModes say.
type Modes struct {
	AnsiQuotes         bool   // "…" is a name
	NoBackslashEscapes bool   // \ is a letter
	Charset            string // of statements: in some, a character's second byte can be a backslash
}

// ParseModes reads a session's sql_mode and character_set_client.
func ParseModes(value, charset string) (m Modes) {
	m.Charset = charset
	for mode := range strings.SplitSeq(strings.ToUpper(value), ",") {
		switch strings.TrimSpace(mode) {
		case "ANSI_QUOTES":
			m.AnsiQuotes = true
		case "NO_BACKSLASH_ESCAPES":
			m.NoBackslashEscapes = true
		}
	}
	return m
}

// Splitter finds the statements of a dump. It knows DELIMITER, and that the body of a routine goes on behind its
// semicolons where a dump (as mydumper's) leaves DELIMITER out. Comments are left out but for conditional ones.
type Splitter struct {
	Modes  Modes
	Flavor flavor.Flavor // of the server: which conditional comments count

	in        io.Reader
	buf       []byte // read, and not yet returned
	at        int    // how far buf was looked at
	line      int    // of buf[0]
	ended     bool   // the input is read
	delimiter []byte
	special   string // the bytes at which the scan stops
}

// NewSplitter splits what a reader has.
func NewSplitter(in io.Reader, f flavor.Flavor) *Splitter {
	s := &Splitter{in: in, line: 1, Flavor: f}
	s.setDelimiter([]byte(";"))
	return s
}

func (s *Splitter) setDelimiter(d []byte) {
	s.delimiter = bytes.Clone(d)
	s.special = "'\"`-#/" + string(s.delimiter[:1])
}

// drop forgets what was returned.
func (s *Splitter) drop() {
	s.line += bytes.Count(s.buf[:s.at], []byte("\n"))
	s.buf = s.buf[:copy(s.buf, s.buf[s.at:])]
	s.at = 0
}

// fill reads more; it is false at the end.
func (s *Splitter) fill() (bool, error) {
	if s.ended {
		return false, nil
	}
	if len(s.buf) > statementLimit {
		return false, fmt.Errorf("line %d: the statement is longer than %d bytes", s.line, statementLimit)
	}
	have := len(s.buf)
	if cap(s.buf)-have < readSize {
		s.buf = append(s.buf, make([]byte, max(readSize, have))...)[:have]
	}
	n, err := s.in.Read(s.buf[have:cap(s.buf)])
	s.buf = s.buf[:have+n]
	if errors.Is(err, io.EOF) {
		s.ended = true
		return n > 0, nil
	}
	return true, err
}

// ahead makes n bytes beyond at available where the input has them.
func (s *Splitter) ahead(n int) ([]byte, error) {
	for len(s.buf)-s.at < n {
		if more, err := s.fill(); err != nil || !more {
			return s.buf[s.at:], err
		}
	}
	return s.buf[s.at : s.at+n], nil
}

// skipPast moves behind the next occurrence of a text, or to the end.
func (s *Splitter) skipPast(text string) error {
	from := s.at
	for {
		if i := bytes.Index(s.buf[from:], []byte(text)); i >= 0 {
			s.at = from + i + len(text)
			return nil
		}
		from = max(s.at, len(s.buf)-len(text)+1)
		more, err := s.fill()
		if err != nil {
			return err
		}
		if !more {
			s.at = len(s.buf)
			return nil
		}
	}
}

// byteOrderMark begins files that went through Windows.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Next is the next statement; io.EOF is the end of the dump.
func (s *Splitter) Next() (st Statement, err error) {
	for {
		if err := s.skipBlank(); err != nil {
			return st, err
		}
		s.drop()
		if len(s.buf) == 0 {
			return st, io.EOF
		}
		changed, err := s.delimiterCommand()
		if err != nil {
			return st, err
		}
		if changed {
			continue
		}
		text, err := s.scan()
		if err != nil {
			return st, err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return Statement{Text: text, Line: s.line}, nil
		}
		s.drop()
	}
}

// skipBlank moves to the first byte of a statement.
func (s *Splitter) skipBlank() error {
	for {
		next, err := s.ahead(4)
		if err != nil || len(next) == 0 {
			return err
		}
		switch {
		case next[0] <= ' ':
			s.at++
		case bytes.HasPrefix(next, byteOrderMark):
			s.at += len(byteOrderMark)
		case lineComment(next):
			if err := s.skipPast("\n"); err != nil {
				return err
			}
		case blockComment(next):
			s.at += 2
			if err := s.skipPast("*/"); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func lineComment(next []byte) bool {
	return next[0] == '#' || bytes.HasPrefix(next, []byte("--")) && (len(next) == 2 || next[2] <= ' ')
}

func blockComment(next []byte) bool {
	return bytes.HasPrefix(next, []byte("/*")) && !bytes.HasPrefix(next, []byte("/*!")) && !bytes.HasPrefix(next, []byte("/*M!"))
}

const delimiterWord = "delimiter"

// delimiterCommand obeys the client's DELIMITER.
func (s *Splitter) delimiterCommand() (bool, error) {
	next, err := s.ahead(len(delimiterWord) + 1)
	if err != nil || len(next) <= len(delimiterWord) || !strings.EqualFold(string(next[:len(delimiterWord)]), delimiterWord) ||
		next[len(delimiterWord)] > ' ' {
		return false, err
	}
	if err := s.skipPast("\n"); err != nil {
		return false, err
	}
	words := bytes.Fields(s.buf[len(delimiterWord):s.at])
	if len(words) == 0 {
		return false, fmt.Errorf("line %d: DELIMITER names no delimiter", s.line)
	}
	s.setDelimiter(words[0])
	return true, nil
}

// scan moves behind the statement's delimiter and returns what stands before it.
func (s *Splitter) scan() ([]byte, error) {
	for {
		i := bytes.IndexAny(s.buf[s.at:], s.special)
		if i < 0 {
			s.at = len(s.buf)
			more, err := s.fill()
			if err != nil {
				return nil, err
			}
			if !more {
				return s.buf, nil
			}
			continue
		}
		s.at += i
		next, err := s.ahead(max(4, len(s.delimiter)))
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(next, s.delimiter) {
			text := s.buf[:s.at]
			s.at += len(s.delimiter)
			if string(s.delimiter) == ";" && s.openBody(text) {
				continue
			}
			return text, nil
		}
		if err := s.step(next); err != nil {
			return nil, err
		}
	}
}

// step moves over a quoted text, a comment or one byte.
func (s *Splitter) step(next []byte) error {
	switch {
	case next[0] == '\'' || next[0] == '"' || next[0] == '`':
		return s.quoted(next[0])
	case lineComment(next):
		return s.skipPast("\n")
	case blockComment(next):
		s.at += 2
		return s.skipPast("*/")
	}
	s.at++
	return nil
}

// quoted moves behind a string or a quoted name.
func (s *Splitter) quoted(quote byte) error {
	escapes := quote == '\'' && !s.Modes.NoBackslashEscapes || quote == '"' && !s.Modes.NoBackslashEscapes && !s.Modes.AnsiQuotes
	s.at++
	for {
		i := s.Modes.stop(s.buf[s.at:], quote, escapes)
		if i < 0 {
			s.at = len(s.buf)
			if more, err := s.fill(); err != nil || !more {
				return err
			}
			continue
		}
		s.at += i
		next, err := s.ahead(2)
		if err != nil {
			return err
		}
		switch {
		case s.Modes.wide(next[0]) || next[0] == '\\' || len(next) == 2 && next[1] == quote:
			s.at += len(next)
		default:
			s.at++
			return nil
		}
	}
}

// openBody says whether a statement makes a routine whose body has begun and not ended.
func (s *Splitter) openBody(text []byte) bool {
	if len(text) < 6 || !strings.EqualFold(string(firstWord(text)), "create") && text[0] != '/' {
		return false
	}
	list := tokenize(text, s.Flavor, s.Modes, 0)
	if verb, object := list.subject(); verb != "CREATE" || !isRoutine(object) {
		return false
	}
	depth := 0
	for i, t := range list {
		if t.kind != word {
			continue
		}
		switch t.upper() {
		case "BEGIN", "CASE":
			if i == 0 || list[i-1].upper() != "END" {
				depth++
			}
		case "END":
			if !list.word(i+1, "IF", "LOOP", "WHILE", "REPEAT", "FOR") {
				depth--
			}
		}
	}
	return depth > 0
}

func firstWord(text []byte) []byte {
	end := bytes.IndexFunc(text, func(r rune) bool { return r < 'A' || r > 'z' })
	if end < 0 {
		end = len(text)
	}
	return text[:end]
}
