package dump

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func TestFilesInOrder(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"b.t.sql": "INSERT", "b.t-schema.sql": "CREATE", "b-schema-create.sql": "CREATE DATABASE IF NOT EXISTS `real b`", "a.t.00000.sql.gz": gzipped(t, "INSERT"),
		"b.v-schema-view.sql": "CREATE", "a.t-schema.sql": "CREATE", "metadata": "no SQL", "b-schema-post.sql": "CREATE",
		"b.t-schema-triggers.sql": "CREATE", "b.t.00001.sql.zst": zstandard(t, "INSERT"),
	})
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range s.Files {
		names = append(names, filepath.Base(file.Path)+"="+file.Database)
	}
	const want = "b-schema-create.sql= a.t-schema.sql=a b.t-schema.sql=real b a.t.00000.sql.gz=a b.t.00001.sql.zst=real b b.t.sql=real b " +
		"b-schema-post.sql=real b b.t-schema-triggers.sql=real b b.v-schema-view.sql=real b"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("order\n%s\nwant\n%s", got, want)
	}
	if strings.Join(s.Unread, " ") != "metadata" {
		t.Errorf("unread are %q", s.Unread)
	}
}

func TestUnreadableSchemas(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"empty.sql": "", "blank.sql": " \n\n", "empty.sql.gz": gzipped(t, ""), "utf16.sql": "\xff\xfeC\x00",
		"dump.sql.xz": "\xfd7zXZxxxx", "cut.sql.gz": gzipped(t, strings.Repeat("CREATE TABLE", 100))[:20], "cut.sql.zst": zstandard(t, "CREATE TABLE t (a INT)")[:9],
	})
	tests := map[string]string{
		"nowhere.sql": "no such file", "empty.sql": "is empty", "blank.sql": "is empty", "empty.sql.gz": "is empty",
		"utf16.sql": "UTF-16", "dump.sql.xz": "xz", "cut.sql.gz": "unexpected EOF", "cut.sql.zst": "unexpected EOF",
	}
	for name, want := range tests {
		if _, err := Open(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

func TestUnreadableFolders(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"no file that ends in .sql":      {"README": "x"},
		"dump of MySQL Shell":            {"@.json": "{}", "a@t.sql": "CREATE"},
		"the first is a.t.00000.dat":     {"a.t-schema.sql": "CREATE", "a.t.00000.dat": "x"},
		"the first is t.txt":             {"t.sql": "CREATE", "t.txt": "x"},
		"the first is a.t.00000.sql.lz4": {"a.t-schema.sql": "CREATE", "a.t.00000.sql.lz4": "x"},
		"it is compressed with bzip2":    {"a.sql": "BZh91AY"},
	} {
		if _, err := Open(write(t, t.TempDir(), files)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := Open(write(t, t.TempDir(), map[string]string{"t.sql": "CREATE", "notes.txt": "x", "empty.sql": ""})); err != nil {
		t.Errorf("notes beside SQL: %v", err)
	}
}

// TestOpenFile holds that compressed files are read whole, whatever their names.
func TestOpenFile(t *testing.T) {
	text := strings.Repeat("INSERT INTO t VALUES (1);\n", 100_000)
	dir := write(t, t.TempDir(), map[string]string{"plain": text, "gzip": gzipped(t, text), "zstd": zstandard(t, text)})
	for _, name := range []string{"plain", "gzip", "zstd"} {
		in, err := OpenFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if err != nil || string(got) != text || in.Progress() != 100 {
			t.Errorf("%s: %d bytes, %d%%, %v", name, len(got), in.Progress(), err)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLine(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"a.sql": strings.Repeat("x", 1<<20) + "\nsecond\r\nthird"})
	for number, want := range map[int]string{1: "xxxxxxxx", 2: "second", 3: "third", 4: ""} {
		if got := Line(filepath.Join(dir, "a.sql"), number, 8); got != want {
			t.Errorf("line %d is %q, want %q", number, got, want)
		}
	}
}
