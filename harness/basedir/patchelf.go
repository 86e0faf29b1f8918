package basedir

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/proc"
)

// patcher rewrites where ELF files look for their libraries.
type patcher struct{ program string }

// patchelf is the program on PATH, else that of the system's package mirror, unpacked into the cache.
func (s *Store) patchelf(ctx context.Context) (*patcher, error) {
	if path, err := exec.LookPath("patchelf"); err == nil {
		return &patcher{path}, nil
	}
	dir, err := s.Cache.Build(ctx, "tools", "patchelf", func(ctx context.Context, dir, _ string) error {
		debs := filepath.Join(dir, "debs")
		packages, err := apt.Download(ctx, s.Cache, apt.Source{Packages: []string{"patchelf"}, Alone: true}, debs)
		if err != nil {
			return err
		}
		return apt.Unpack(ctx, packages, dir)
	})
	if err != nil {
		return nil, fmt.Errorf("obtain patchelf: %w", err)
	}
	return &patcher{filepath.Join(dir, "usr", "bin", "patchelf")}, nil
}

// setInterpreter makes programs be started by a dynamic linker of their own.
func (p *patcher) setInterpreter(ctx context.Context, linker string, programs ...string) error {
	return p.run(ctx, programs, "--set-interpreter", linker)
}

// search makes files look for their libraries in a folder first. It is DT_RPATH and not DT_RUNPATH, since
// only the former counts for what the libraries need in turn, and comes before LD_LIBRARY_PATH.
func (p *patcher) search(ctx context.Context, rpath string, files ...string) error {
	return p.run(ctx, files, "--force-rpath", "--set-rpath", rpath)
}

func (p *patcher) run(ctx context.Context, files []string, args ...string) error {
	if len(files) == 0 {
		return nil
	}
	if _, err := proc.Run(ctx, proc.Cmd{Path: p.program, Args: append(args, files...)}); err != nil {
		return fmt.Errorf("patch ELF files: %w", err)
	}
	return nil
}
