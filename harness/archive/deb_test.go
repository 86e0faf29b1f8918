package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// debOf makes a Debian package of members; each is a name and what is in it.
func debOf(members ...string) []byte {
	text := arMagic
	for i := 0; i < len(members); i += 2 {
		name, body := members[i], members[i+1]
		text += fmt.Sprintf("%-16s%-12d%-6d%-6d%-8o%-10d%s", name, 0, 0, 0, 0o644, len(body), arEnd) + body + strings.Repeat("\n", len(body)%2)
	}
	return []byte(text)
}

func TestUnpackByName(t *testing.T) {
	plain := tarOf(t, []entry{{name: "./usr/bin/tool", kind: tar.TypeReg, body: "text"}})
	files := string(gzipped(t, plain))
	for name, b := range map[string][]byte{
		"a.deb":      debOf("debian-binary", "2.0\n", "control.tar.gz", "odd", "data.tar.gz", files),
		"plain.deb":  debOf("debian-binary/", "2.0\n", "data.tar/", string(plain)),
		"a.tar":      plain,
		"a-1.tar.gz": []byte(files),
	} {
		dir := t.TempDir()
		if err := Unpack(t.Context(), write(t, b), name, dir, Rules{Limit: 1 << 20}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if text, err := os.ReadFile(filepath.Join(dir, "usr", "bin", "tool")); err != nil || string(text) != "text" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if !IsArchive(name) {
			t.Errorf("%s counts as no archive", name)
		}
	}
	if IsArchive("a.rpm") || IsTar("a.deb") || IsTar("a.zip") || !IsArchive("a.zip") {
		t.Error("archives are told by their names wrongly")
	}
}

func TestBadPackages(t *testing.T) {
	files := string(gzipped(t, tarOf(t, topEntries())))
	hostile := string(gzipped(t, tarOf(t, []entry{{name: "./../evil", kind: tar.TypeReg, body: "x"}})))
	whole := debOf("debian-binary", "2.0\n", "data.tar.gz", files)
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":               {nil, "unpack a.deb: it is no Debian package"},
		"no ar archive":       {[]byte("PK\x03\x04 and more"), "it is no Debian package"},
		"no files":            {debOf("debian-binary", "2.0\n"), "it has no data.tar"},
		"a header of noise":   {append([]byte(arMagic), strings.Repeat("x", arHeader)...), "a member's header cannot be read"},
		"a negative size":     {[]byte(strings.Replace(string(whole), "4         `", "-4        `", 1)), "a member's header cannot be read"},
		"cut in a header":     {whole[:30], "archive is cut off"},
		"cut in the files":    {whole[:len(whole)-20], "archive is cut off"},
		"cut before them":     {whole[:len(arMagic)+arHeader+2], "archive is cut off"},
		"unknown compression": {debOf("data.tar.lzma", "x"), "data.tar.lzma: want a file of .tar.gz"},
		"hostile":             {debOf("data.tar.gz", hostile), `archive refused: entry "./../evil" leaves the folder`},
	} {
		err := UnpackDeb(t.Context(), write(t, c.b), "a.deb", t.TempDir(), Rules{Limit: 1 << 20})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if name == "hostile" && !errors.As(err, new(*HostileError)) {
			t.Errorf("%s: %v is no *HostileError", name, err)
		}
	}
}
