package migration

import (
	"slices"
	"strings"
	"testing"
)

// descriptorOf is that of the tool that has printed a text.
func descriptorOf(output string) *Descriptor {
	name := "pt-online-schema-change"
	if strings.Contains(output, "FATAL") {
		name = NameGhost
	}
	i := slices.IndexFunc(Descriptors(), func(d *Descriptor) bool { return d.Name == name })
	return Descriptors()[i]
}

// TestReason reads the ends of real logs.
func TestReason(t *testing.T) {
	tests := map[string]string{
		"2026-11-25 02:41:41 INFO starting\n2026-11-25 02:41:41 FATAL 2026-11-25 02:41:41 ERROR found triggers on `a`.`b`. Bailing out\n":                                                                                          "found triggers on `a`.`b`. Bailing out",
		"2026-11-25 02:41:41 FATAL Error 1193 (HY000): Unknown system variable 'transaction_isolation'\n":                                                                                                                          "Error 1193 (HY000): Unknown system variable 'transaction_isolation'",
		"Created plugin from ./count.pm.\nFound 1 slaves:\nvm -> 127.0.0.1:25624\nWill check slave lag on:\nvm -> 127.0.0.1:25624\nThe table has triggers.\n":                                                                      "The table has triggers.",
		"Altered OK.\nThe new table does not have a PRIMARY KEY.\nPlease check.\n2026-11-25T03:01:54 Dropping new table...\n2026-11-25T03:01:55 Dropped new table OK.\n# Event  Count\n# INSERT     0\n`a`.`b` was not altered.\n": "The new table does not have a PRIMARY KEY.",
	}
	for output, want := range tests {
		if got := descriptorOf(output).Reason(output); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
