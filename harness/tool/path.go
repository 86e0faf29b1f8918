package tool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
)

// Check says what is wrong with the path of a tool of one's own, as far as looking at it tells; nil for every other tool.
func Check(ref matrix.ToolRef) error {
	if ref.Path == "" {
		return nil
	}
	if _, _, err := locate(ref.Path); err != nil {
		return fmt.Errorf("tool %s at %s: %w", ref.Name, ref.Path, err)
	}
	return nil
}

// locate finds the user's program, or the checkout that it is to be built from.
func locate(name string) (location string, checkout bool, err error) {
	if location, err = filepath.Abs(name); err != nil {
		return "", false, err
	}
	info, err := os.Stat(location)
	switch {
	case err != nil:
		return "", false, errors.New("there is no such file or folder")
	case !info.IsDir() && info.Mode().Perm()&0o111 == 0:
		return "", false, errors.New("the file is not executable")
	case !info.IsDir():
		return location, false, nil
	}
	if _, err := os.Stat(filepath.Join(location, "go.mod")); err != nil {
		return "", false, errors.New("the folder has no go.mod: want an executable file, or a checkout of the tool's Go module")
	}
	return location, true, nil
}

// fromPath takes the user's own program: an executable file as it is, a checkout of a Go module (a folder
// with a go.mod) by building it.
func (s *Store) fromPath(ctx context.Context, ref matrix.ToolRef, name string) (*Program, error) {
	fail := func(err error) (*Program, error) {
		return nil, fmt.Errorf("tool %s at %s: %w", ref.Name, name, err)
	}
	location, checkout, err := locate(name)
	if err != nil {
		return fail(err)
	}
	if checkout {
		p, err := s.buildCheckout(ctx, ref, location)
		if err != nil {
			return fail(err)
		}
		return p, nil
	}
	p := &Program{Name: ref.Name, Path: location, Dir: filepath.Dir(location)}
	if ref.Source.System != nil {
		if p.Env, err = s.systemLibraries(ctx, ref); err != nil {
			return nil, err
		}
	}
	if p.Version, err = p.versionOf(ctx, ref); err != nil {
		return fail(err)
	}
	return p, nil
}

// buildCheckout builds a checkout as it is now. The program is cached by its content, so that another
// build does not change it under a run.
func (s *Store) buildCheckout(ctx context.Context, ref matrix.ToolRef, checkout string) (p *Program, err error) {
	command := commandFolder(ref.Source.Module)
	sum := sha256.Sum256([]byte(checkout))
	name := "checkout-" + hex.EncodeToString(sum[:6])
	unlock, err := s.Cache.Lock(ctx, kind+"-"+name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	dir := filepath.Join(s.Cache.Root(), kind, "."+name)
	if err := errors.Join(cache.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cache.RemoveAll(dir)) }()
	s.log("build %s from %s", ref.Name, checkout)
	program := filepath.Join(dir, ref.Name)
	if err := goBuild(ctx, checkout, program, "./"+command, ""); err != nil {
		return nil, err
	}
	return s.keepCheckout(ctx, ref, program, checkout)
}

func (s *Store) keepCheckout(ctx context.Context, ref matrix.ToolRef, program, checkout string) (*Program, error) {
	digest, err := fileDigest(program)
	if err != nil {
		return nil, err
	}
	key, err := cacheKey(ref.Name+"-checkout", []string{checkout, digest})
	if err != nil {
		return nil, err
	}
	path, err := s.Cache.Build(ctx, kind, key, func(ctx context.Context, dir, final string) error {
		if err := os.Rename(program, filepath.Join(dir, ref.Name)); err != nil {
			return err
		}
		p := &Program{Name: ref.Name, Path: filepath.Join(dir, ref.Name), Dir: checkout}
		if p.Version, err = p.askVersion(ctx); err != nil {
			return err
		}
		p.Path = filepath.Join(final, ref.Name)
		return p.save(dir)
	})
	if err != nil {
		return nil, err
	}
	return load(path)
}

// commandFolder is where a module has its command, "" for its own folder.
func commandFolder(m *matrix.Module) string {
	if m == nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(importPath(m), m.Path), "/")
}

func fileDigest(path string) (digest string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
