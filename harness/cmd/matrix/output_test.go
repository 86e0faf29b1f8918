package main

import (
	"bytes"
	"os"
	"testing"
)

// A CI service keeps every line, also where it gives its jobs a terminal: nothing is drawn anew there.
func TestPlainLines(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal can be obtained: %v", err)
	}
	t.Cleanup(func() { _ = tty.Close() }) // nothing was written to it
	for _, one := range []struct {
		name, variable, value string
		flags                 runFlags
		plain                 bool
	}{
		{"terminal", "TERM", "xterm", runFlags{}, false},
		{"terminal, --plain", "TERM", "xterm", runFlags{plain: true}, true},
		{"terminal, CI=false", "CI", "false", runFlags{}, false},
		{"CI", "CI", "true", runFlags{}, true},
		{"GitHub", "GITHUB_ACTIONS", "true", runFlags{}, true},
		{"Buildkite", "BUILDKITE", "true", runFlags{}, true},
		{"dumb terminal", "TERM", "dumb", runFlags{}, true},
		{"CI, --live", "CI", "true", runFlags{live: true}, false},
	} {
		t.Run(one.name, func(t *testing.T) {
			for _, name := range []string{"CI", "GITHUB_ACTIONS", "BUILDKITE", "TERM"} {
				t.Setenv(name, "")
			}
			t.Setenv(one.variable, one.value)
			plain, err := one.flags.plainLines(output{File: tty})
			if err != nil || plain != one.plain {
				t.Errorf("plain lines: %t, %v, want %t", plain, err, one.plain)
			}
			if o := viewOptions(output{File: tty}, "out"); o.Color && one.value == "true" {
				t.Error("a log gets colours")
			}
		})
	}
	if plain, err := (&runFlags{}).plainLines(&bytes.Buffer{}); err != nil || !plain {
		t.Errorf("no terminal: plain lines %t, %v", plain, err)
	}
	for _, bad := range []runFlags{{live: true, plain: true}, {live: true}} {
		if _, err := bad.plainLines(&bytes.Buffer{}); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
