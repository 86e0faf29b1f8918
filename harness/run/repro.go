package run

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"mysqlmatrix/harness/matrix"
)

// repro is the command that repeats one spec.
func (c *Config) repro(one matrix.Cell, spec string) string {
	words := []string{"bin/matrix run", "--entry", shellQuote(one.Entry.Name), "--suite", one.Suite,
		"--tool", shellQuote(one.Tool.Flag()), "--seed", strconv.FormatInt(c.Seed, 10)}
	if c.Limit != DefaultLimit {
		words = append(words, "--limit", c.Limit.String())
	}
	if c.Histories != 0 && c.Histories != DefaultHistories {
		words = append(words, "--histories", strconv.Itoa(c.Histories))
	}
	if c.History != "" {
		words = append(words, "--history", shellQuote(c.History))
	}
	if one.Tool.Path != "" {
		words = append(words, "--baseline", cmp.Or(one.Tool.Baseline, matrix.NoBaseline))
	}
	if c.Checksum != "" {
		words = append(words, "--checksum", c.Checksum)
	}
	if c.TrustFirstUse {
		words = append(words, "--trust-first-use")
	}
	return strings.Join(append(words, "--focus", shellQuote("^"+regexp.QuoteMeta(spec)+"$")), " ")
}

func shellQuote(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '-' || r == '.' || r == '_' || r == '=' || r == '/' || r == '@' || r == ':' ||
			r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
