package failover

import "testing"

func TestParseRule(t *testing.T) {
	for rule, name := range ruleNames {
		if got, err := ParseRule(name); err != nil || got != rule {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := ParseRule("never"); err == nil {
		t.Error(`rule "never" is taken`)
	}
	if _, err := (RuleUnknown).MarshalText(); err == nil {
		t.Error("the unknown rule has a text")
	}
}
