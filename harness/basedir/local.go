package basedir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
)

// referTarball reads the references tarball:/path, tarball:file:///path and file:///path: an archive of the user's own, for
// which nobody else vouches.
func referTarball(rest string) (matrix.Declaration, error) {
	rest = strings.TrimPrefix(rest, "file:")
	if strings.HasPrefix(rest, "//") {
		path, ok := archive.LocalPath("file:" + rest)
		if !ok {
			return nil, errors.New("want file:///path/to/archive.tar.gz, without a host")
		}
		rest = path
	}
	if rest == "" || !archive.IsTar(rest) {
		return nil, fmt.Errorf("want tarball:/path/to/archive, a file of %s; the folder of an installation is written dir:/path", strings.Join(archive.TarSuffixes, ", "))
	}
	absolute, err := filepath.Abs(rest)
	if err != nil {
		return nil, fmt.Errorf("want tarball:/path/to/archive: %w", err)
	}
	return &Tarball{URLs: []string{(&url.URL{Scheme: "file", Path: absolute}).String()}, Own: true}, nil
}

// Present says what is wrong with an archive of the user's own, as far as looking at it tells.
func (t *Tarball) Present() error {
	if !t.Own {
		return nil
	}
	path, _ := archive.LocalPath(t.URLs[0])
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("tarball %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("tarball %s: want a file; the folder of an installation is written dir:%s", path, path)
	}
	return nil
}

// id tells an archive of the user's own from what it was before it was built anew.
func (t *Tarball) id() (string, error) {
	path, _ := archive.LocalPath(t.URLs[0])
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %s", path, info.Size(), info.ModTime().UTC()), nil
}

// unpackedDir is where an archive of unknown layout is unpacked below the basedir that it becomes.
const unpackedDir = ".unpacked"

// unpackAny unpacks an archive of any layout: with or without folders above the one that has the server's bin, sbin or
// libexec, which becomes the basedir.
func unpackAny(ctx context.Context, file, name, dir string, limit int64) error {
	work := filepath.Join(dir, unpackedDir)
	if err := os.Mkdir(work, 0o755); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	if err := archive.UnpackTar(ctx, file, name, work, archive.Rules{Limit: limit}); err != nil {
		return err
	}
	program, err := findServer(work)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	base := filepath.Dir(filepath.Dir(program))
	names, err := listNames(base)
	if err != nil {
		return err
	}
	for _, one := range names {
		if err := os.Rename(filepath.Join(base, one), filepath.Join(dir, one)); err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
	}
	return errors.Join(beInBin(dir, filepath.Base(filepath.Dir(program)), filepath.Base(program)), cache.RemoveAll(work))
}

// serverFolders are where layouts have the server program.
var serverFolders = []string{"bin", "sbin", "libexec"}

// findServer is the server program that lies nearest to the top.
func findServer(root string) (string, error) {
	found := ""
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || (entry.Name() != "mysqld" && entry.Name() != "mariadbd") {
			return err
		}
		nearer := found == "" || strings.Count(path, "/") < strings.Count(found, "/")
		if nearer && slices.Contains(serverFolders, filepath.Base(filepath.Dir(path))) {
			found = path
		}
		return nil
	})
	if err == nil && found == "" {
		err = errors.New("no server: neither mysqld nor mariadbd in a folder bin, sbin or libexec")
	}
	return found, err
}

// beInBin lets everything be found where a vendor's archive has it: programs in bin, libraries in lib.
func beInBin(dir, folder, program string) error {
	var errs []error
	if folder != "bin" {
		errs = append(errs, linkNew(filepath.Join("..", folder, program), filepath.Join(dir, "bin", program)))
	}
	if libs := filepath.Join(dir, "libs"); exists(libs) && !exists(filepath.Join(dir, "lib")) {
		errs = append(errs, linkNew("libs", filepath.Join(dir, "lib")))
	}
	return errors.Join(errs...)
}
