package failover

import "fmt"

// Rule says how much a server is wanted as a primary. It decides among servers with the same data; only
// must-not excludes.
type Rule uint8

// The promotion rules, as orchestrator has them. The zero value is invalid.
const (
	RuleUnknown Rule = iota
	Prefer
	Neutral
	PreferNot
	MustNot
)

var ruleNames = map[Rule]string{Prefer: "prefer", Neutral: "neutral", PreferNot: "prefer-not", MustNot: "must-not"}

// String is prefer, neutral, prefer-not or must-not.
func (r Rule) String() string {
	if name, ok := ruleNames[r]; ok {
		return name
	}
	return "unknown rule"
}

// ParseRule reads a rule as String writes it.
func ParseRule(s string) (Rule, error) {
	for r, name := range ruleNames {
		if s == name {
			return r, nil
		}
	}
	return RuleUnknown, fmt.Errorf("promotion rule %q: want prefer, neutral, prefer-not or must-not", s)
}

// Valid says that the rule is one of the four.
func (r Rule) Valid() bool { return ruleNames[r] != "" }

// MarshalText writes the rule as String does; the zero rule is an error.
func (r Rule) MarshalText() ([]byte, error) {
	if _, ok := ruleNames[r]; !ok {
		return nil, fmt.Errorf("promotion rule %d has no name", r)
	}
	return []byte(r.String()), nil
}
