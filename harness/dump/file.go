package dump

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// File is an SQL file, decompressed while it is read.
type File struct {
	io.Reader
	file  *counted
	close func()
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

// Close closes the file.
func (f *File) Close() error {
	if f.close != nil {
		f.close()
	}
	return f.file.Close()
}

// Progress is how much of the file was read, in percent.
func (f *File) Progress() int64 {
	info, err := f.file.Stat()
	if err != nil || info.Size() == 0 {
		return 0
	}
	return f.file.read.Load() * 100 / info.Size()
}

// The beginnings of compressed files.
const (
	gzipMagic = "\x1f\x8b"
	zstdMagic = "\x28\xb5\x2f\xfd"
)

// OpenFile opens an SQL file: plain, or compressed with gzip or zstd, whatever its name.
func OpenFile(path string) (*File, error) {
	plain, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	f := &File{file: &counted{File: plain}}
	buffered := bufio.NewReaderSize(f.file, 1<<16)
	f.Reader = buffered
	magic, err := buffered.Peek(len(zstdMagic))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
	case bytes.HasPrefix(magic, []byte(gzipMagic)):
		f.Reader, err = gzip.NewReader(buffered)
	case bytes.HasPrefix(magic, []byte(zstdMagic)):
		var reader *zstd.Decoder
		// One goroutine: what reads the file sends it to a server at the same time.
		if reader, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1)); err == nil {
			f.Reader, f.close = reader, reader.Close
		}
	default:
		err = nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("schema %s: %w", path, err), f.Close())
	}
	return f, nil
}

// wrongs are the beginnings of files that are no SQL in a form that can be read.
var wrongs = map[string]string{
	"\xfd7zXZ":            "it is compressed with xz: decompress it, or use gzip or zstd",
	"BZh":                 "it is compressed with bzip2: decompress it, or use gzip or zstd",
	"\x04\x22\x4d\x18":    "it is compressed with lz4: decompress it, or use gzip or zstd",
	"PK\x03\x04":          "it is a zip archive: unpack it",
	"\xff\xfe":            "it is UTF-16, as PowerShell's > writes it: use mysqldump --result-file",
	"\xfe\xff":            "it is UTF-16: convert it to UTF-8",
	"SQLite format 3\x00": "it is a SQLite database",
	"PGDMP":               "it is a dump of PostgreSQL",
	"XBSTCK01":            "it is a stream of xtrabackup: make a dump with mysqldump or mydumper",
}

// check finds a file that cannot be read as SQL before a server is asked for.
func check(path string, mayBeEmpty bool) (err error) {
	in, err := OpenFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	head, err := bufio.NewReader(in).Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("schema %s: %w", path, err)
	}
	for beginning, what := range wrongs {
		if bytes.HasPrefix(head, []byte(beginning)) {
			return fmt.Errorf("schema %s: %s", path, what)
		}
	}
	if len(bytes.TrimSpace(bytes.TrimPrefix(head, byteOrderMark))) == 0 && len(head) < 64 && !mayBeEmpty {
		return fmt.Errorf("schema %s: the file is empty", path)
	}
	return nil
}

// Line is one line of a file, without its end, at most limit bytes of it; "" when there is none.
func Line(path string, number, limit int) string {
	in, err := OpenFile(path)
	if err != nil {
		return ""
	}
	defer in.Close() // read only
	reader := bufio.NewReader(in)
	for i := 1; ; i++ {
		text, err := reader.ReadSlice('\n')
		if i == number {
			return strings.TrimRight(string(text[:min(len(text), limit)]), "\r\n")
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if err != nil {
			return ""
		}
	}
}
