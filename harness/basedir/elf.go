package basedir

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// binary is what the dynamic linker reads of an ELF file.
type binary struct {
	needed      []string // sonames
	searched    []string // DT_RPATH or DT_RUNPATH, split
	interpreter string   // empty for a shared library
}

// errNotELF says that a file is a script or data.
var errNotELF = errors.New("not an ELF file")

// isELF looks at a file's first bytes.
func isELF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, len(elf.ELFMAG))
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == elf.ELFMAG
}

// readBinary reads the dynamic section of an ELF file.
func readBinary(path string) (binary, error) {
	if !isELF(path) {
		return binary{}, errNotELF
	}
	f, err := elf.Open(path)
	if err != nil {
		return binary{}, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	var b binary
	if b.needed, err = f.ImportedLibraries(); err != nil {
		return binary{}, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, err := f.DynString(tag)
		if err != nil {
			return binary{}, fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
		for _, value := range values {
			b.searched = append(b.searched, strings.Split(value, ":")...)
		}
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		text, err := io.ReadAll(p.Open())
		if err != nil {
			return binary{}, fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
		b.interpreter = strings.TrimRight(string(text), "\x00")
	}
	return b, nil
}

// elfFiles lists the ELF files of a folder, without links.
func elfFiles(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() && isELF(path) {
			files = append(files, path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}
