package basedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// dlopened are libraries that the C library loads by name at run time, so that no dynamic section names
// them: the name service's (until glibc 2.34 made them part of libc) and what unwinds a cancelled thread.
// Without the suite's own, those of the running system would be loaded into a foreign C library.
var dlopened = []string{"libnss_files.so.2", "libnss_dns.so.2", "libnss_compat.so.2", "libresolv.so.2", "libgcc_s.so.1"}

// tree is an unpacked set of packages.
type tree struct {
	root      string
	libraries map[string]string // soname → file, links resolved
}

// openTree indexes the shared libraries of a set of packages.
func openTree(root string) (*tree, error) {
	t := &tree{root: root, libraries: map[string]string{}}
	for _, dir := range []string{"usr/lib", "lib", "usr/lib64", "lib64"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := entry.Name()
			if entry.IsDir() || !strings.Contains(name, ".so") {
				return nil
			}
			file, err := t.resolve(path)
			if err != nil {
				return nil // a link into a package that is not part of the set
			}
			// Of several of one name, the one in the plainest folder is the one that the linker finds.
			if old, ok := t.libraries[name]; !ok || strings.Count(file, "/") < strings.Count(old, "/") {
				t.libraries[name] = file
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for libraries: %w", err)
		}
	}
	return t, nil
}

// resolve follows links as if the tree were /.
func (t *tree) resolve(path string) (string, error) {
	for range 16 {
		info, err := os.Lstat(path)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			path = filepath.Join(t.root, target)
		} else {
			path = filepath.Join(filepath.Dir(path), target)
		}
	}
	return "", fmt.Errorf("%s: too many links", path)
}

// closure finds every library that files need, directly or not: soname → file.
func (t *tree) closure(files []string) (map[string]string, error) {
	found := map[string]string{}
	add := func(soname string) bool {
		file, ok := t.libraries[soname]
		if ok && found[soname] == "" {
			found[soname] = file
			files = append(files, file)
		}
		return ok
	}
	for _, soname := range dlopened {
		add(soname)
	}
	for i := 0; i < len(files); i++ {
		b, err := readBinary(files[i])
		if errors.Is(err, errNotELF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, soname := range b.needed {
			if !add(soname) {
				return nil, fmt.Errorf("%s needs %s, which none of the packages has", filepath.Base(files[i]), soname)
			}
		}
	}
	return found, nil
}
