package proc

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// given is what a program finds in its environment, by name.
func given(t *testing.T, c Cmd) map[string]string {
	t.Helper()
	c.Path = "env"
	out, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		found[name] = value
	}
	return found
}

func TestEnvironmentIsMade(t *testing.T) {
	for name, value := range map[string]string{"MYSQL_HOST": "nowhere.invalid", "TZ": "America/New_York", "LC_ALL": "de_DE.UTF-8", "HOME": t.TempDir(), ScopeEnv: "/scope"} {
		t.Setenv(name, value)
	}
	got := given(t, Cmd{Env: []string{"OWN=1"}})
	want := map[string]string{"TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "OWN": "1", ScopeEnv: "/scope"}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if value, ok := got["MYSQL_HOST"]; ok {
		t.Errorf("MYSQL_HOST is %q, want none", value)
	}
	if got["PATH"] == "" {
		t.Error("no PATH")
	}
	// One that builds gets the caller's, and yet the same zone and locale.
	if got := given(t, Cmd{Inherit: true}); got["MYSQL_HOST"] == "" || got["TZ"] != "UTC" || got["LC_ALL"] != "C.UTF-8" || got["HOME"] == "/nonexistent" {
		t.Errorf("inherited: MYSQL_HOST %q, TZ %q, LC_ALL %q, HOME %q", got["MYSQL_HOST"], got["TZ"], got["LC_ALL"], got["HOME"])
	}
}

func TestVary(t *testing.T) {
	t.Setenv(OptionsEnv, "")
	for _, bad := range []string{"TZ", "=x", "A B=x", "MATRIX_CELL=x", "MYSQL_HOST=db.example.org", ""} {
		if err := Vary([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	options := []string{"TZ=America/New_York", "NOTE=a b=c\nd"}
	if err := Vary(options); err != nil {
		t.Fatal(err)
	}
	if got := Varied(); !slices.Equal(got, options) {
		t.Errorf("%q", got)
	}
	got := given(t, Cmd{})
	if got["TZ"] != "America/New_York" || got["NOTE"] != "a b=c" || got[OptionsEnv] == "" {
		t.Errorf("%q", got)
	}
}

// A user's own client keeps the terminal and the home, and goes where it is told.
func TestInteractive(t *testing.T) {
	t.Setenv("LC_ALL", "")
	for name, value := range map[string]string{"MYSQL_HOST": "nowhere.invalid", "TERM": "xterm", "HOME": "/home/me", "LC_ALL": "de_DE.UTF-8"} {
		t.Setenv(name, value)
	}
	env := Interactive()
	for _, want := range []string{"TERM=xterm", "HOME=/home/me", "LC_ALL=de_DE.UTF-8", "MYSQL_TEST_LOGIN_FILE=/nonexistent"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
	if slices.Contains(env, "MYSQL_HOST=nowhere.invalid") {
		t.Errorf("the caller's host is in %q", env)
	}
}
