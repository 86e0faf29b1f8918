package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHostileArchives(t *testing.T) {
	tests := map[string]struct {
		entries []entry
		want    string
	}{
		"absolute path":        {[]entry{{name: "/tmp/evil", kind: tar.TypeReg, body: "x"}}, "leaves the folder"},
		"path upwards":         {[]entry{{name: "top/../../evil", kind: tar.TypeReg, body: "x"}}, "leaves the folder"},
		"path upwards at once": {[]entry{{name: "../evil", kind: tar.TypeReg, body: "x"}}, "leaves the folder"},
		"second top folder":    {[]entry{{name: "beside/evil", kind: tar.TypeReg, body: "x"}}, "beside the top folder"},
		"absolute link":        {[]entry{{name: "top/l", kind: tar.TypeSymlink, link: "/etc/passwd"}}, "outside the folder"},
		"link upwards":         {[]entry{{name: "top/a/l", kind: tar.TypeSymlink, link: "../../evil"}}, "outside the folder"},
		"link to nothing":      {[]entry{{name: "top/l", kind: tar.TypeSymlink, link: ""}}, "outside the folder"},
		"chain of links": {[]entry{
			{name: "top/a/b/", kind: tar.TypeDir},
			{name: "top/a/b/up", kind: tar.TypeSymlink, link: ".."},
			{name: "top/out", kind: tar.TypeSymlink, link: "a/b/up/../../evil"},
		}, "out of the folder"},
		"through a link": {[]entry{
			{name: "top/l", kind: tar.TypeSymlink, link: "a/b/up/../.."},
			{name: "top/a/b/", kind: tar.TypeDir},
			{name: "top/a/b/up", kind: tar.TypeSymlink, link: ".."},
			{name: "top/l/evil", kind: tar.TypeReg, body: "x"},
		}, "refused"},
		"hard link upwards":      {[]entry{{name: "top/l", kind: tar.TypeLink, link: "../evil"}}, "outside the folder"},
		"hard link, absolute":    {[]entry{{name: "top/l", kind: tar.TypeLink, link: "/etc/passwd"}}, "outside the folder"},
		"hard link to a link":    {[]entry{{name: "top/s", kind: tar.TypeSymlink, link: "x"}, {name: "top/l", kind: tar.TypeLink, link: "top/s"}}, "no file before it"},
		"hard link to later":     {[]entry{{name: "top/l", kind: tar.TypeLink, link: "top/later"}}, "no file before it"},
		"character device":       {[]entry{{name: "top/null", kind: tar.TypeChar}}, "no file, folder or link"},
		"block device":           {[]entry{{name: "top/sda", kind: tar.TypeBlock}}, "no file, folder or link"},
		"named pipe":             {[]entry{{name: "top/pipe", kind: tar.TypeFifo}}, "no file, folder or link"},
		"file over its folder":   {[]entry{{name: "top/bin", kind: tar.TypeReg, body: "x"}}, "refused"},
		"bomb of one large file": {[]entry{{name: "top/big", kind: tar.TypeReg, body: strings.Repeat("0", 3<<20)}}, "beyond 2097152 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := unpack(t, gzipped(t, tarOf(t, append(topEntries(), test.entries...))), t.TempDir(), Rules{Limit: 2 << 20, Under: WithoutTop()})
			if !errors.As(err, new(*HostileError)) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want a refusal with %q", err, test.want)
			}
		})
	}
}

// TestBombOfZeros: what comes out is bounded even where no entry's header admits to it.
func TestBombOfZeros(t *testing.T) {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	plain := tarOf(t, topEntries())
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 20 { // after the archive's end, where tar itself does not look
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	err := unpack(t, buf.Bytes(), t.TempDir(), Rules{Limit: 1 << 20, Under: WithoutTop()})
	if !errors.As(err, new(*HostileError)) {
		t.Errorf("error %v, want a refusal", err)
	}
}

func TestUnpackKeepsModesAndLaterEntries(t *testing.T) {
	plain := tarOf(t, []entry{
		{name: "./top/", kind: tar.TypeDir},
		{name: "./top/f", kind: tar.TypeReg, body: "first"},
		{name: "./top/f", kind: tar.TypeReg, body: "second"},
		{name: "./top/dangling", kind: tar.TypeSymlink, link: "nowhere"},
	})
	dir := t.TempDir()
	if err := unpack(t, gzipped(t, plain), dir, Rules{Limit: 1 << 20, Under: WithoutTop()}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(text) != "second" {
		t.Errorf("f holds %q, %v", text, err)
	}
	info, err := os.Stat(filepath.Join(dir, "f"))
	if err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("f has mode %v, %v", info.Mode(), err)
	}
}

func TestUnpackStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := write(t, gzipped(t, tarOf(t, topEntries())))
	if err := UnpackTar(ctx, file, "a.tar.gz", t.TempDir(), Rules{Limit: 1 << 20}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
}

// unpack unpacks a tar.gz into dir.
func unpack(t *testing.T, b []byte, dir string, rules Rules) error {
	t.Helper()
	return UnpackTar(t.Context(), write(t, b), "a.tar.gz", dir, rules)
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("x"), "top/x", "y", byte(tar.TypeReg))
	f.Add([]byte(""), "top/../x", "/etc", byte(tar.TypeSymlink))
	f.Add([]byte(""), "top/a", "top/b", byte(tar.TypeLink))
	f.Fuzz(func(t *testing.T, body []byte, name, link string, kind byte) {
		var buf bytes.Buffer
		g := gzip.NewWriter(&buf)
		w := tar.NewWriter(g)
		h := &tar.Header{Name: name, Linkname: link, Typeflag: kind, Mode: 0o644}
		if kind == tar.TypeReg {
			h.Size = int64(len(body))
		}
		if w.WriteHeader(h) != nil {
			return
		}
		_, _ = w.Write(body)
		_ = w.Close()
		_ = g.Close()
		outer := t.TempDir()
		inner := filepath.Join(outer, "inner")
		if err := os.Mkdir(inner, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = unpack(t, buf.Bytes(), inner, Rules{Limit: 1 << 20, Under: WithoutTop()})
		names, err := os.ReadDir(outer)
		if err != nil || len(names) != 1 {
			t.Fatalf("beside the folder: %v, %v", names, err)
		}
	})
}
