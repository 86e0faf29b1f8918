package tool

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mysqlmatrix/harness/matrix"
)

var (
	right = regexp.MustCompile(`(v1)\.0\.0`)
	wrong = Patch{File: "go/cmd/gh-ost/main.go", Find: regexp.MustCompile("no such text"), Replace: "x"}
)

// TestPatchedModule holds that the patch is in the new program only.
func TestPatchedModule(t *testing.T) {
	checkout := writeCheckout(t, `println("v1.0.0")`)
	p, err := newStore(t).Obtain(t.Context(), matrix.ToolRef{Name: "gh-ost", Path: checkout, Source: checkoutSource})
	if err != nil {
		t.Fatal(err)
	}
	const file = "go/cmd/gh-ost/main.go"
	patched, err := p.Patched(t.Context(), t.TempDir(), Patch{file, right, "${1}.6.6"})
	if err != nil {
		t.Fatal(err)
	}
	for program, want := range map[*Program]string{p: "v1.0.0", patched: "v1.6.6"} {
		if got, err := program.askVersion(t.Context()); err != nil || got != want {
			t.Errorf("%s says %q, %v; want %s", program.Path, got, err, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(checkout, file)); err != nil || !strings.Contains(string(text), "v1.0.0") {
		t.Errorf("the source was changed: %s, %v", text, err)
	}
	// A patch that no longer fits is no program without the bug.
	if _, err := p.Patched(t.Context(), t.TempDir(), wrong); err == nil || !strings.Contains(err.Error(), "0 places") {
		t.Errorf("got %v, want a patch that does not fit", err)
	}
	if _, err := p.Patched(t.Context(), t.TempDir(), Patch{file, regexp.MustCompile("main"), "x"}); err == nil || !strings.Contains(err.Error(), "2 places") {
		t.Errorf("got %v, want a patch that fits twice", err)
	}
	p.Dir = t.TempDir()
	if _, err := p.Patched(t.Context(), t.TempDir(), wrong); !errors.Is(err, ErrNoSource) {
		t.Errorf("got %v, want a binary without source", err)
	}
}

// A checkout's build says of itself what has blanks and quotes in it, and is patched all the same.
func TestPatchedUnversioned(t *testing.T) {
	checkout := writeCheckout(t, `print(AppVersion, "v1.0.0\n") }; var AppVersion = "none"; func init() {`)
	p, err := newStore(t).Obtain(t.Context(), matrix.ToolRef{Name: "gh-ost", Path: checkout, Source: checkoutSource})
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"unversioned (git commit: unknown)", "it's one's own"} {
		p.Version = version
		patched, err := p.Patched(t.Context(), t.TempDir(), Patch{"go/cmd/gh-ost/main.go", right, "${1}.6.6"})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), patched.Path).CombinedOutput()
		if want := strings.ReplaceAll(version, "'", "") + "v1.6.6\n"; err != nil || string(out) != want {
			t.Errorf("it says %q, %v; want %q", out, err, want)
		}
	}
}

func TestPatchedScript(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pt")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho v1.0.0 $HOME\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &Program{Name: "pt", Path: path}
	patched, err := p.Patched(t.Context(), t.TempDir(), Patch{"", right, "${1}.6.6"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := patched.askVersion(t.Context()); err != nil || got != "v1.6.6" {
		t.Errorf("it says %q, %v", got, err)
	}
	fitting := wrong
	fitting.File = ""
	if _, err := p.Patched(t.Context(), t.TempDir(), fitting); err == nil || !strings.Contains(err.Error(), "0 places") {
		t.Errorf("got %v, want a patch that does not fit", err)
	}
	if _, err := p.Patched(t.Context(), t.TempDir(), wrong); !errors.Is(err, ErrNoSource) {
		t.Errorf("got %v, want a wrapper without source", err)
	}
}
