package usertables

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// Schema is a user's SQL, in the order in which it is loaded.
type Schema struct {
	Path  string
	files []string
}

// endings are the names of SQL files.
var endings = []string{".sql", ".sql.gz"}

// OpenSchema finds the SQL of a file (plain or compressed with gzip) or of a folder, whose files are taken in
// the order of their names, those with structures before those with rows, as mydumper and mysqlsh name them.
func OpenSchema(path string) (*Schema, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("schema %s: there is no such file or folder", path)
	}
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	s := &Schema{Path: path, files: []string{path}}
	if info.IsDir() {
		if s.files, err = sqlFiles(path); err != nil {
			return nil, err
		}
	}
	for _, file := range s.files {
		if err := check(file); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func sqlFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // in the order of names
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	var files []string
	for _, entry := range entries {
		isSQL := func(ending string) bool { return strings.HasSuffix(entry.Name(), ending) }
		if !entry.IsDir() && slices.ContainsFunc(endings, isSQL) {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("schema %s: the folder has no file that ends in %s", dir, strings.Join(endings, " or "))
	}
	slices.SortStableFunc(files, func(a, b string) int { return stage(a) - stage(b) })
	return files, nil
}

// stage is when a file is loaded: databases, tables, rows, and what refers to tables.
func stage(file string) int {
	name, _ := strings.CutSuffix(strings.TrimSuffix(filepath.Base(file), ".gz"), ".sql")
	for i, endings := range [][]string{{"-schema-create"}, {"-schema"}, {}, {"-schema-post", "-schema-triggers", "-schema-view"}} {
		for _, ending := range endings {
			if strings.HasSuffix(name, ending) {
				return i
			}
		}
	}
	return 2
}

// wrongs are the beginnings of files that are no SQL in a form that can be read.
var wrongs = map[string]string{
	"\x28\xb5\x2f\xfd":    "it is compressed with zstd: decompress it, or use gzip",
	"\xfd7zXZ":            "it is compressed with xz: decompress it, or use gzip",
	"PK\x03\x04":          "it is a zip archive: unpack it",
	"\xff\xfe":            "it is UTF-16, as PowerShell's > writes it: use mysqldump --result-file",
	"SQLite format 3\x00": "it is a SQLite database",
	"PGDMP":               "it is a dump of PostgreSQL",
}

func check(file string) error {
	in, err := open(file)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	head, err := bufio.NewReader(in).Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("schema %s: %w", file, err)
	}
	for beginning, what := range wrongs {
		if bytes.HasPrefix(head, []byte(beginning)) {
			return fmt.Errorf("schema %s: %s", file, what)
		}
	}
	if len(bytes.TrimSpace(head)) == 0 && len(head) < 64 {
		return fmt.Errorf("schema %s: the file is empty", file)
	}
	return nil
}

// opened is an SQL file, decompressed.
type opened struct {
	io.Reader
	file *counted
}

// counted counts what was read of a file.
type counted struct {
	*os.File
	read atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.File.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (o *opened) Close() error { return o.file.Close() }

// progress is how much of the file was read, in percent.
func (o *opened) progress() int64 {
	info, err := o.file.Stat()
	if err != nil || info.Size() == 0 {
		return 0
	}
	return o.file.read.Load() * 100 / info.Size()
}

func open(path string) (*opened, error) {
	plain, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	file := &counted{File: plain}
	buffered := bufio.NewReaderSize(file, 1<<16)
	if magic, err := buffered.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return &opened{buffered, file}, nil // a file too short for gzip as well
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("schema %s: %w", path, err), file.Close())
	}
	return &opened{unzipped, file}, nil
}

// unloggers are statements of mysqldump that would keep what is loaded from the replica, or tell the server of
// transactions that it never had.
var unloggers = [][]byte{[]byte("SET @@SESSION.SQL_LOG_BIN"), []byte("SET @@GLOBAL.GTID_PURGED")}

// replicated is a dump without the statements that keep it out of the binary log. Every line keeps its number.
func replicated(in io.Reader) io.Reader {
	out, w := io.Pipe()
	go func() { w.CloseWithError(copyReplicated(w, bufio.NewReaderSize(in, 1<<20))) }()
	return out
}

func copyReplicated(w io.Writer, in *bufio.Reader) error {
	atStart, dropping := true, false // of a line; a statement that may go over several
	for {
		// A line of a dump can be many megabytes: it comes in pieces.
		piece, err := in.ReadSlice('\n')
		ended := err == nil
		if atStart && !dropping {
			dropping = slices.ContainsFunc(unloggers, func(s []byte) bool { return bytes.HasPrefix(piece, s) })
		}
		text := piece
		if dropping {
			text = []byte("\n")
			dropping = !bytes.HasSuffix(bytes.TrimSpace(piece), []byte(";"))
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		atStart = ended
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// line is one line of a file, for a message.
func line(path string, number int) string {
	in, err := open(path)
	if err != nil {
		return ""
	}
	defer in.Close() // read only
	reader := bufio.NewReader(in)
	for i := 1; ; i++ {
		text, err := reader.ReadSlice('\n')
		if i == number {
			return shorten(string(text), 120)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if err != nil {
			return ""
		}
	}
}
