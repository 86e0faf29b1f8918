package tool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
)

func TestParseVersion(t *testing.T) {
	tests := map[string]string{
		"v1.1.10 (git commit: unknown)\n":       "v1.1.10",
		"pt-online-schema-change 3.7.1\n":       "3.7.1",
		"orchestrator 3.2.6-20, build x\n":      "3.2.6-20",
		"unversioned (git commit: unknown)\nx":  "unversioned (git commit: unknown)",
		"warning\ngh-ost 1.1.8-rc1 something\n": "1.1.8-rc1",
		"":                                      "",
	}
	for output, want := range tests {
		if got := parseVersion(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}

func TestImportPath(t *testing.T) {
	const module = "github.com/github/gh-ost"
	for command, want := range map[string]string{
		"go/cmd/gh-ost":                          module + "/go/cmd/gh-ost",
		"./go/cmd/gh-ost":                        module + "/go/cmd/gh-ost",
		"github.com/github/gh-ost/go/cmd/gh-ost": module + "/go/cmd/gh-ost",
		"":                                       module,
	} {
		if got := importPath(&matrix.Module{Path: module, Command: command}); got != want {
			t.Errorf("command %q: got %s, want %s", command, got, want)
		}
	}
}

func TestExactVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"v1.1.10": true, "v3.2.5+incompatible": true, "v0.0.0-20210520103621-827f3ea62180": true, "v1.1.8-rc.1": true,
		"latest": false, "v1.1": false, "1.1.10": false, "master": false, "": false, "v1.1.10 ": false,
	} {
		if got := exactVersion.MatchString(version); got != want {
			t.Errorf("%q: exact is %v, want %v", version, got, want)
		}
	}
}

func TestGoVersion(t *testing.T) {
	for _, test := range []struct{ path, version, want string }{
		{"github.com/github/gh-ost", "v1.1.10", "v1.1.10"},
		{"github.com/openark/orchestrator", "v3.2.5", "v3.2.5+incompatible"},
		{"github.com/openark/orchestrator", "v3.2.5+incompatible", "v3.2.5+incompatible"},
		{"github.com/Shopify/toxiproxy/v2", "v2.5.0", "v2.5.0"},
		{"gopkg.in/yaml.v3", "v3.0.1", "v3.0.1"},
	} {
		if got := goVersion(test.path, test.version); got != test.want {
			t.Errorf("%s %s: got %s, want %s", test.path, test.version, got, test.want)
		}
	}
}

func TestGoMod(t *testing.T) {
	dir := t.TempDir()
	module := &matrix.Module{Path: "example.org/m", Command: "cmd/m",
		Require: []string{"example.org/other v1.2.3"},
		Replace: []matrix.Replace{{Module: "example.org/gone", Dir: dir}, {Module: "example.org/a", By: "example.org/b", Version: "v1.0.0"}}}
	got := goMod(module, "v1.0.0")
	want := "module throwaway\n\ngo 1.21\n\nrequire example.org/m v1.0.0\nrequire example.org/other v1.2.3\n" +
		"replace example.org/gone => \"" + dir + "\"\nreplace example.org/a => example.org/b v1.0.0\n"
	if got != want {
		t.Errorf("go.mod:\n%s\nwant:\n%s", got, want)
	}
}

// TestIdentity holds that a changed stand-in is another build, and that its path is not part of it.
func TestIdentity(t *testing.T) {
	key := func(text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := identity(&matrix.Module{Path: "example.org/m", Replace: []matrix.Replace{{Module: "example.org/gone", Dir: dir}}})
		if err != nil {
			t.Fatal(err)
		}
		name, err := cacheKey("m", m)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	first, again := key("module a"), key("module a")
	if first != again {
		t.Error("the same stand-in elsewhere is another build")
	}
	if first == key("module b") {
		t.Error("another stand-in is the same build")
	}
}

func TestMergePaths(t *testing.T) {
	first := []string{"PERL5LIB=/a", "LD_LIBRARY_PATH=/b"}
	got := mergePaths(first, []string{"PERL5LIB=/c:/d", "OTHER=/e"})
	want := []string{"PERL5LIB=/a:/c:/d", "LD_LIBRARY_PATH=/b", "OTHER=/e"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if first[0] != "PERL5LIB=/a" {
		t.Error("the first list was changed")
	}
}

func TestEnvironment(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"usr/lib/x86_64-linux-gnu/perl5/5.36", "usr/share/perl5", "usr/lib/x86_64-linux-gnu/libmariadb3/plugin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := environment(root, "/final")
	want := []string{
		"PERL5LIB=/final/usr/lib/x86_64-linux-gnu/perl5/5.36:/final/usr/share/perl5",
		"LD_LIBRARY_PATH=/final/usr/lib/x86_64-linux-gnu",
		"MARIADB_PLUGIN_DIR=/final/usr/lib/x86_64-linux-gnu/libmariadb3/plugin",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func newStore(t *testing.T) *Store {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Store{Cache: c}
}

// TestMistakes are references that no machine could have: they are no *UnavailableError, which would let a
// run pass.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	failing := filepath.Join(dir, "failing")
	if err := os.WriteFile(failing, []byte("#!/bin/sh\necho no library >&2\nexit 127\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	module := matrix.ToolVersion{Module: &matrix.Module{Path: "example.org/m", Command: "cmd/m"}}
	tests := map[string]struct {
		ref  matrix.ToolRef
		want string
	}{
		"no such path":   {matrix.ToolRef{Name: "gh-ost", Path: filepath.Join(dir, "none")}, "no such file"},
		"not executable": {matrix.ToolRef{Name: "gh-ost", Path: plain}, "not executable"},
		"no module":      {matrix.ToolRef{Name: "gh-ost", Path: dir}, "no go.mod"},
		"does not start": {matrix.ToolRef{Name: "gh-ost", Path: failing}, "no library"},
		"no source":      {matrix.ToolRef{Name: "gh-ost", Version: "v1"}, "does not say"},
		"latest":         {matrix.ToolRef{Name: "m", Version: "latest", Source: module}, "no exact version"},
		"prefix":         {matrix.ToolRef{Name: "m", Version: "v1.1", Source: module}, "no exact version"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newStore(t).Obtain(t.Context(), test.ref)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			if errors.As(err, new(*UnavailableError)) {
				t.Errorf("a mistake counts as unavailable: %v", err)
			}
		})
	}
}

func TestPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gh-ost")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'v9.9.9 (git commit: mine)'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := newStore(t).Obtain(t.Context(), matrix.ToolRef{Name: "gh-ost", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != "v9.9.9" || p.Path != path || p.Name != "gh-ost" {
		t.Errorf("got %+v", p)
	}
}

func TestBuiltin(t *testing.T) {
	ref := matrix.ToolRef{Name: "embedded", Version: "builtin", Source: matrix.ToolVersion{Builtin: true}}
	p, err := newStore(t).Obtain(t.Context(), ref)
	if err != nil || p.Path != "" || p.Name != "embedded" {
		t.Errorf("got %+v, %v", p, err)
	}
}

// writeCheckout makes a Go module with a command that prints a version; it needs no network.
func writeCheckout(t *testing.T, body string) string {
	t.Helper()
	dir := t.TempDir()
	command := filepath.Join(dir, "go", "cmd", "gh-ost")
	if err := os.MkdirAll(command, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(dir, "go.mod"):      "module example.org/gh-ost\n\ngo 1.21\n",
		filepath.Join(command, "main.go"): "package main\n\nfunc main() { " + body + " }\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCheckout holds that a checkout is built as it is now, and that a build under way in a run is not
// replaced by the next one.
func TestCheckout(t *testing.T) {
	store := newStore(t)
	checkout := writeCheckout(t, `println("v1.0.0")`)
	ref := matrix.ToolRef{Name: "gh-ost", Path: checkout, Source: checkoutSource}
	first, err := store.Obtain(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if first.Version != "v1.0.0" || first.Dir != checkout {
		t.Errorf("got %+v", first)
	}
	again, err := store.Obtain(t.Context(), ref)
	if err != nil || again.Path != first.Path {
		t.Errorf("unchanged source: %+v, %v; want %s", again, err, first.Path)
	}
	main := filepath.Join(checkout, "go", "cmd", "gh-ost", "main.go")
	if err := os.WriteFile(main, []byte("package main\n\nfunc main() { println(\"v2.0.0\") }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed, err := store.Obtain(t.Context(), ref)
	if err != nil || changed.Version != "v2.0.0" || changed.Path == first.Path {
		t.Errorf("changed source: %+v, %v", changed, err)
	}
	if version, err := first.askVersion(t.Context()); err != nil || version != "v1.0.0" {
		t.Errorf("the first build is now %q, %v", version, err)
	}
}

// TestCheckoutThatDoesNotBuild holds that the compiler's words reach the user, and that nothing is left.
func TestCheckoutThatDoesNotBuild(t *testing.T) {
	store := newStore(t)
	_, err := store.Obtain(t.Context(), matrix.ToolRef{Name: "gh-ost", Path: writeCheckout(t, "undefinedThing()"), Source: checkoutSource})
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedThing") {
		t.Errorf("got %v, want the compiler's message", err)
	}
	left, err := os.ReadDir(filepath.Join(store.Cache.Root(), kind))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}

// TestUnavailable holds the difference between what this machine cannot have and the end of a run.
func TestUnavailable(t *testing.T) {
	ref := matrix.ToolRef{Name: "gh-ost", Version: "v1.1.10"}
	cause := errors.New("no network")
	if err := unavailable(t.Context(), ref, cause); !errors.As(err, new(*UnavailableError)) || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := unavailable(ctx, ref, cause); errors.As(err, new(*UnavailableError)) {
		t.Errorf("an interrupted run counts as unavailable: %v", err)
	}
}

func TestCacheKeyChangesWithItsSource(t *testing.T) {
	one, err := cacheKey("pt-3.7.1", &matrix.Apt{Suites: []string{"sid"}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := cacheKey("pt-3.7.1", &matrix.Apt{Suites: []string{"trixie"}})
	if err != nil {
		t.Fatal(err)
	}
	if one == two || !strings.HasPrefix(one, "pt-3.7.1-") {
		t.Errorf("keys %s and %s", one, two)
	}
}

// checkoutSource says where a checkout that writeCheckout makes has its command.
var checkoutSource = matrix.ToolVersion{Module: &matrix.Module{Path: "github.com/github/gh-ost", Command: "go/cmd/gh-ost"}}

// A tool whose cache was moved speaks of where it lies now, and of what lies beside it.
func TestMovedTool(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "old", kind, "x-1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &Program{Name: "x", Path: filepath.Join(dir, "root", "x"), Dir: filepath.Join(dir, "root"), Env: []string{"PERL5LIB=" + base + "/old/tools/libraries-2/a:" + dir + "/b"}}
	if err := p.save(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(base, "old"), filepath.Join(base, "new")); err != nil {
		t.Fatal(err)
	}
	now := filepath.Join(base, "new", kind)
	p, err := load(filepath.Join(now, "x-1"))
	if err != nil {
		t.Fatal(err)
	}
	if want := now + "/x-1/root"; p.Dir != want || p.Path != want+"/x" || p.Env[0] != "PERL5LIB="+now+"/libraries-2/a:"+now+"/x-1/b" {
		t.Errorf("%+v", p)
	}
}
