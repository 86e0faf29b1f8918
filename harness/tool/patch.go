package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Patch is a change of one place in a program's text, to plant a bug in it.
type Patch struct {
	File    string         // within the program's source; a script is its own only file and takes ""
	Find    *regexp.Regexp // matches once, or the patch is for another version and fails
	Replace string         // as regexp.Expand takes it: ${1} is a group, $$ a dollar
}

// ErrNoSource is a program that was not built from a Go module, nor is the script that a patch is for.
var ErrNoSource = errors.New("there is no source to patch: want a script or a program built from its Go module")

// Patched makes a program with patches in dir, which must exist. The original and its source stay as they
// are. A Go program is built by way of an overlay, so that the build cache has all but the patched package.
func (p *Program) Patched(ctx context.Context, dir string, patches ...Patch) (*Program, error) {
	patched := *p
	patched.Path = filepath.Join(dir, p.Name)
	script, err := isScript(p.Path)
	if err == nil && script {
		err = patchScript(p.Path, patched.Path, patches)
	} else if err == nil {
		err = p.buildPatched(ctx, dir, patched.Path, patches)
	}
	if err != nil {
		return nil, fmt.Errorf("patch %s %s: %w", p.Name, p.Version, err)
	}
	return &patched, nil
}

func isScript(path string) (_ bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var head [2]byte
	n, err := file.Read(head[:])
	return string(head[:n]) == "#!", err
}

func patchScript(from, to string, patches []Patch) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	for _, one := range patches {
		if one.File != "" {
			return ErrNoSource // a wrapper around the program that the patch is for
		}
		if text, err = one.apply(text); err != nil {
			return err
		}
	}
	return os.WriteFile(to, text, 0o755)
}

func (p *Program) buildPatched(ctx context.Context, dir, program string, patches []Patch) error {
	if _, err := os.Stat(filepath.Join(p.Dir, "go.mod")); err != nil || p.Dir == "" || p.Command == "" {
		return ErrNoSource
	}
	texts := map[string][]byte{}
	for _, one := range patches {
		path := filepath.Join(p.Dir, one.File)
		text, ok := texts[path]
		if !ok {
			var err error
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		text, err := one.apply(text)
		if err != nil {
			return err
		}
		texts[path] = text
	}
	overlay, err := writeOverlay(dir, texts)
	if err != nil {
		return err
	}
	// readonly: the cached source is nobody's to change.
	_, err = goCommand(ctx, p.Dir, "build", "-mod=readonly", "-overlay", overlay, "-o", program,
		setVersion(p.Version), "./"+p.Command)
	return err
}

// writeOverlay writes what `go build -overlay` reads: the files to put in the place of others.
func writeOverlay(dir string, texts map[string][]byte) (string, error) {
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for path, text := range texts {
		file := filepath.Join(dir, fmt.Sprintf("patched%d.go", len(overlay.Replace)+1))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return "", err
		}
		overlay.Replace[path] = file
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o644)
}

func (p Patch) apply(text []byte) ([]byte, error) {
	found := p.Find.FindAllSubmatchIndex(text, -1)
	if len(found) != 1 {
		return nil, fmt.Errorf("file %q has %d places that match %s, want one: the patch is for another version", p.File, len(found), p.Find)
	}
	at := found[0]
	var b bytes.Buffer
	b.Write(text[:at[0]])
	b.Write(p.Find.Expand(nil, []byte(p.Replace), text, at))
	b.Write(text[at[1]:])
	return b.Bytes(), nil
}
