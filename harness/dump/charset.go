package dump

import "bytes"

// leads are the character sets in which the second byte of a character can be a backslash or a backquote, and the ranges of
// first bytes (MySQL, strings/ctype-gbk.cc, ctype-gb18030.cc, ctype-big5.cc, ctype-sjis.cc, ctype-cp932.cc).
var leads = map[string][][2]byte{
	"gbk":     {{0x81, 0xfe}},
	"gb18030": {{0x81, 0xfe}},
	"big5":    {{0xa1, 0xf9}},
	"sjis":    {{0x81, 0x9f}, {0xe0, 0xfc}},
	"cp932":   {{0x81, 0x9f}, {0xe0, 0xfc}},
}

// wide says whether a character of several bytes begins with a byte, whose second byte is no quote or backslash of its own.
func (m Modes) wide(b byte) bool {
	for _, r := range leads[m.Charset] {
		if b >= r[0] && b <= r[1] {
			return true
		}
	}
	return false
}

// stop is where in a text the first quote is, or backslash where that escapes, that is a character of its own; -1 where there
// is none. A text that ends within a character stops there.
func (m Modes) stop(text []byte, quote byte, escapes bool) int {
	if leads[m.Charset] == nil {
		if escapes {
			return bytes.IndexAny(text, string(quote)+`\`)
		}
		return bytes.IndexByte(text, quote)
	}
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == quote || escapes && b == '\\':
			return i
		case m.wide(b):
			if i+1 == len(text) {
				return i
			}
			i++
		}
	}
	return -1
}
