package basedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/matrix"
)

func init() {
	matrix.Register(matrix.Kind{Name: "dir", New: func() matrix.Declaration { return new(Dir) }, Refer: referDir})
}

// Dir is an installation that is there already.
type Dir struct {
	Path string          `yaml:"path" json:"path" jsonschema:"required"`
	At   matrix.Position `yaml:"-" json:"-"`
}

// Kind is "dir".
func (d *Dir) Kind() string { return "dir" }

// String names the folder.
func (d *Dir) String() string { return "dir " + d.Path }

// Check reports mistakes of the declaration.
func (d *Dir) Check(c matrix.Checker) {
	if c.Required(d.At, "path", d.Path, "add the folder's path") && !filepath.IsAbs(d.Path) {
		c.Problem(d.At.Of("path"), "want an absolute path", ": path %q", d.Path)
	}
}

func (d *Dir) open(_ *Store, _ matrix.Entry, project string) source {
	return &userDir{source: d, project: project}
}

// referDir reads the reference dir:/path.
func referDir(path string) (matrix.Declaration, error) {
	if path == "" {
		return nil, errors.New("want dir:/path/to/basedir")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("want dir:/path/to/basedir: %w", err)
	}
	return &Dir{Path: absolute}, nil
}

// userDir makes a basedir of a server that somebody else installed or built: a folder of links to it, with
// what dbdeployer wants beside them. The original is only read.
type userDir struct {
	source  *Dir
	project string
}

func (d *userDir) path() string {
	if filepath.IsAbs(d.source.Path) {
		return filepath.Clean(d.source.Path)
	}
	return filepath.Join(d.project, d.source.Path)
}

// Present says what is wrong with the folder, as far as looking at it tells.
func (d *Dir) Present() error {
	_, err := (&userDir{source: d}).server()
	return err
}

// server is the real path of the server program.
func (d *userDir) server() (string, error) {
	info, err := os.Stat(d.path())
	if err != nil {
		return "", fmt.Errorf("dir %s: %w", d.source.Path, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("dir %s: want the folder of a server installation, the one with bin/mysqld in it", d.source.Path)
	}
	for _, folder := range []string{"bin", "sbin", "libexec"} {
		for _, name := range []string{"mysqld", "mariadbd"} {
			if path, err := filepath.EvalSymlinks(filepath.Join(d.path(), folder, name)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("dir %s: no server: neither mysqld nor mariadbd in its bin, sbin or libexec", d.source.Path)
}

// ask looks whether there is a server.
func (d *userDir) ask(context.Context) error {
	_, err := d.server()
	return err
}

// key changes whenever the server is built anew or the folders that are linked change.
func (d *userDir) key() (string, error) {
	id, err := d.id()
	if err != nil {
		return "", err
	}
	return cacheKey("dir-"+filepath.Base(d.path()), id), nil
}

func (d *userDir) id() (string, error) {
	server, err := d.server()
	if err != nil {
		return "", err
	}
	parts := []string{recipe, "dir", d.path(), server}
	for _, path := range []string{server, d.path(), filepath.Join(d.path(), "bin"), filepath.Join(d.path(), "lib"), filepath.Join(d.path(), "scripts")} {
		if info, err := os.Stat(path); err == nil {
			parts = append(parts, fmt.Sprintf("%s %d %s", path, info.Size(), info.ModTime().UTC()))
		}
	}
	return digest(parts...), nil
}

func (d *userDir) build(_ context.Context, dir, _ string) (content, error) {
	server, err := d.server()
	if err != nil {
		return content{}, err
	}
	id, err := d.id()
	if err != nil {
		return content{}, err
	}
	if err := linkFarm(d.path(), dir); err != nil {
		return content{}, err
	}
	if err := linkNew(server, filepath.Join(dir, "bin", filepath.Base(server))); err != nil {
		return content{}, err
	}
	return content{id: id}, nil
}

// linkFarm links to everything in a basedir. Folders that get files of matrix's own are made anew, with
// links inside.
func linkFarm(from, to string) error {
	names, err := listNames(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(from, name)
		info, err := os.Stat(path)
		if err != nil || name == metadataFile || strings.HasPrefix(name, ".") {
			continue // a link to nowhere, or nothing of a server's
		}
		if info.IsDir() && (name == "bin" || name == "lib" || name == "scripts") {
			err = linkChildren(path, filepath.Join(to, name))
		} else {
			err = linkNew(path, filepath.Join(to, name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func linkChildren(from, to string) error {
	names, err := listNames(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := linkNew(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}
