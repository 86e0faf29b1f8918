package basedir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"mysqlmatrix/harness/archive"
)

// The lock file has one line for each archive that was ever verified, sorted by name, as sha256sum(1)
// writes and reads them: the SHA-256, two blanks, the file's name. It belongs under version control.
const lockHeader = "# SHA-256 of each archive as it was first seen; a later change is refused. Written by matrix."

// seen gives the SHA-256 that the lock file has for an archive; "" when it was never seen.
func (s *Store) seen(file string) (string, error) {
	lines, err := readLock(s.LockFile)
	if err != nil {
		return "", err
	}
	return lines[file], nil
}

// record puts an archive's SHA-256 into the lock file, under a lock of its own.
func (s *Store) record(ctx context.Context, file, sha256 string) (err error) {
	if s.LockFile == "" {
		return nil
	}
	unlock, err := s.Cache.Lock(ctx, "lockfile")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	lines, err := readLock(s.LockFile)
	if err != nil || lines[file] == sha256 {
		return err
	}
	if old := lines[file]; old != "" {
		return &archive.ChecksumError{File: file, Algorithm: "SHA-256", Want: old, Got: sha256, By: filepath.Base(s.LockFile)}
	}
	lines[file] = sha256
	return writeLock(s.LockFile, lines)
}

func readLock(path string) (map[string]string, error) {
	lines := map[string]string{}
	if path == "" {
		return lines, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return lines, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock file: %w", err)
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sum, file, ok := strings.Cut(line, "  ")
		if !ok || len(sum) != 64 {
			return nil, fmt.Errorf("%s:%d: %q: want a SHA-256, two blanks and a file's name", path, number, line)
		}
		lines[file] = strings.ToLower(sum)
	}
	return lines, nil
}

func writeLock(path string, lines map[string]string) error {
	rows := make([]string, 0, len(lines))
	for file, sum := range lines {
		rows = append(rows, sum+"  "+file)
	}
	slices.SortFunc(rows, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	text := lockHeader + "\n" + strings.Join(rows, "\n") + "\n"
	if err := renameio.WriteFile(path, []byte(text), 0o644, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	return nil
}
