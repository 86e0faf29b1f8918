package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// entry is one thing in an archive.
type entry struct {
	name, body, link string
	kind             byte
}

// topEntries are the smallest installation in one top folder.
func topEntries() []entry {
	return []entry{
		{name: "top/", kind: tar.TypeDir},
		{name: "top/bin/", kind: tar.TypeDir},
		{name: "top/bin/mysqld", kind: tar.TypeReg, body: "#!/bin/sh\n"},
		{name: "top/bin/mysqld_safe", kind: tar.TypeSymlink, link: "mysqld"},
		{name: "top/share/errmsg.sys", kind: tar.TypeReg, body: "text"},
		{name: "top/share/copy.sys", kind: tar.TypeLink, link: "top/share/errmsg.sys"},
	}
}

func tarOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o755, Size: int64(len(e.body)), Format: tar.FormatPAX}
		if e.kind != tar.TypeReg {
			h.Size = 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func gzipped(t *testing.T, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// write puts an archive into a file.
func write(t *testing.T, b []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
