package usertables

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestFilesInOrder(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"b.t.sql": "INSERT", "b.t-schema.sql": "CREATE", "b-schema-create.sql": "CREATE", "a.t.00000.sql.gz": gzipped(t, "INSERT"),
		"b.v-schema-view.sql": "CREATE", "a.t-schema.sql": "CREATE", "metadata": "no SQL",
	})
	s, err := OpenSchema(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range s.files {
		names = append(names, filepath.Base(file))
	}
	const want = "b-schema-create.sql a.t-schema.sql b.t-schema.sql a.t.00000.sql.gz b.t.sql b.v-schema-view.sql"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("order\n%s\nwant\n%s", got, want)
	}
}

func TestUnreadableSchemas(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"empty.sql": "", "blank.sql": " \n\n", "empty.sql.gz": gzipped(t, ""), "utf16.sql": "\xff\xfeC\x00",
		"dump.sql.zst": "\x28\xb5\x2f\xfdxxxx", "cut.sql.gz": gzipped(t, strings.Repeat("CREATE TABLE", 100))[:20],
	})
	tests := map[string]string{
		"nowhere.sql": "no such file", "empty.sql": "is empty", "blank.sql": "is empty", "empty.sql.gz": "is empty",
		"utf16.sql": "UTF-16", "dump.sql.zst": "zstd", "cut.sql.gz": "unexpected EOF",
	}
	for name, want := range tests {
		if _, err := OpenSchema(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	if _, err := OpenSchema(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no file that ends in .sql") {
		t.Errorf("a folder without SQL: %v", err)
	}
}

// TestReplicated holds that what would keep a dump from the replica is gone, and every line keeps its number.
func TestReplicated(t *testing.T) {
	long := strings.Repeat("x", 3<<20) // longer than any buffer
	dump := strings.Join([]string{
		"SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;",
		"SET @@SESSION.SQL_LOG_BIN= 0;",
		"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5,",
		"b:1-5';",
		"INSERT INTO t VALUES ('" + long + "'); -- SET @@SESSION.SQL_LOG_BIN",
		"SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;",
		"end",
	}, "\n")
	text, err := io.ReadAll(replicated(strings.NewReader(dump)))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(dump, "\n")
	want[1], want[2], want[3], want[5] = "", "", "", ""
	if got := string(text); got != strings.Join(want, "\n") {
		t.Errorf("got %d bytes in %d lines: %s", len(got), strings.Count(got, "\n")+1, shorten(strings.ReplaceAll(got, long, "…"), 400))
	}
}

func TestLineForMessage(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"a.sql": strings.Repeat("x", 1<<20) + "\nsecond\x1b[31m\nthird"})
	for number, want := range map[int]string{2: "second\ufffd[31m", 3: "third", 4: ""} {
		if got := line(filepath.Join(dir, "a.sql"), number); got != want {
			t.Errorf("line %d is %q, want %q", number, got, want)
		}
	}
}
