package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/folder"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
)

// app wires the packages together by flags and environment; commands use it.
type app struct {
	matrixPath, cacheDir, runDir string
	env                          []string // for servers, clients and tools: see proc.Vary

	root      *rundir.Root // once it is open
	temporary *rundir.Dir  // in the place of a $TMPDIR that cannot serve
}

const matrixFile = "matrix.yaml"

// loadMatrix reads the matrix file that --matrix names, or the nearest one.
func (a *app) loadMatrix() (*matrix.Matrix, error) {
	path, err := a.findMatrix()
	if err != nil {
		return nil, err
	}
	return matrix.Load(path)
}

func (a *app) findMatrix() (string, error) {
	if a.matrixPath != "" {
		return filepath.Abs(a.matrixPath)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for from := dir; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, matrixFile)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", usageError{fmt.Errorf("no %s in %s or a folder above: name one with --matrix", matrixFile, from)}
		}
	}
}

// openCache opens the cache and removes what killed builders left in it. Whoever has it may build and run programs.
func (a *app) openCache(ctx context.Context) (*cache.Cache, error) {
	c, err := a.lookIntoCache()
	if err != nil {
		return nil, err
	}
	if err := a.replaceTemporary(ctx); err != nil {
		return nil, err
	}
	c.OnWait = func(what string) { logLine("waiting for another process that builds " + what) }
	return c, c.ClearAbandoned(func(dir string) error { return sandbox.ClearKilled(ctx, dir) })
}

// lookIntoCache opens the cache for a command that changes nothing in it.
func (a *app) lookIntoCache() (*cache.Cache, error) {
	dir, err := cache.DefaultDir(cmp.Or(a.cacheDir, os.Getenv("MATRIX_CACHE")))
	if err != nil {
		return nil, usageError{fmt.Errorf("%w: name one with --cache", err)}
	}
	c, err := cache.Open(dir)
	return c, unfit(err)
}

// replaceTemporary gives this process and all that it starts another folder for temporary files where $TMPDIR cannot serve.
func (a *app) replaceTemporary(ctx context.Context) error {
	if a.temporary != nil || folder.Check(os.TempDir(), folder.Temporary) == nil {
		return nil
	}
	root, err := a.openRoot(ctx)
	if err != nil {
		return err
	}
	if a.temporary, err = root.Create(ctx, "tmp"); err != nil {
		return err
	}
	return os.Setenv("TMPDIR", a.temporary.Path)
}

// close removes what was made for the command itself.
func (a *app) close() error {
	if a.temporary == nil {
		return nil
	}
	return a.temporary.Remove(context.Background())
}

// openRoot opens the folder of running servers and clears what killed runs left.
func (a *app) openRoot(ctx context.Context) (*rundir.Root, error) {
	if a.root != nil {
		return a.root, nil
	}
	dir, err := filepath.Abs(cmp.Or(a.runDir, rundir.DefaultDir()))
	if err != nil {
		return nil, err
	}
	root, err := rundir.Open(dir)
	if err != nil {
		return nil, unfit(err)
	}
	a.root = root
	removed, err := root.ClearAbandoned(ctx)
	if len(removed) > 0 {
		logLine(fmt.Sprintf("cleared what %d killed processes had left in %s", len(removed), root.Path()))
	}
	return root, err
}

func (a *app) store(ctx context.Context) (devtopology.Store, error) {
	root, err := a.openRoot(ctx)
	return devtopology.Store{Root: root}, err
}

// basedirs is the store of server installations.
func (a *app) basedirs(c *cache.Cache, m *matrix.Matrix) *basedir.Store {
	return &basedir.Store{Cache: c, Log: logLine, Progress: downloadProgress(), LockFile: filepath.Join(filepath.Dir(m.Path), "basedirs.lock")}
}

// farm deploys golden sandboxes with $DBDEPLOYER, or the dbdeployer that go.mod pins.
func (a *app) farm(c *cache.Cache, m *matrix.Matrix) *sandbox.Farm {
	return &sandbox.Farm{Cache: c, Log: logLine, Folder: a.shortFolder, Dbdeployer: func(ctx context.Context) (string, error) {
		if path := os.Getenv("DBDEPLOYER"); path != "" {
			return path, nil
		}
		var out strings.Builder
		// go tool -n builds it when need be and prints where it lies.
		log, err := proc.Run(ctx, proc.Cmd{Path: "go", Args: []string{"tool", "-n", "dbdeployer"}, Dir: filepath.Dir(m.Path), Stdout: &out, Inherit: true})
		path := strings.TrimSpace(out.String())
		if err == nil && path == "" {
			err = errors.New("go tool -n dbdeployer printed nothing: " + log)
		}
		if err != nil {
			return "", fmt.Errorf("dbdeployer: %w: set DBDEPLOYER to a dbdeployer program to use another", err)
		}
		return path, nil
	}}
}

// shortFolder is one for the socket of a deployment: --run-dir is short, and $TMPDIR need not be.
func (a *app) shortFolder(ctx context.Context) (string, func() error, error) {
	root, err := a.openRoot(ctx)
	if err != nil {
		return "", nil, err
	}
	dir, err := root.Create(ctx, "g")
	if err != nil {
		return "", nil, err
	}
	return dir.Path, func() error { return dir.Remove(context.WithoutCancel(ctx)) }, nil
}

// golden obtains an entry's server and its golden sandbox.
func (a *app) golden(ctx context.Context, m *matrix.Matrix, c *cache.Cache, e matrix.Entry, p sandbox.Profile) (*sandbox.Golden, error) {
	b, err := a.basedirs(c, m).Obtain(ctx, e, projectDir(m))
	if err != nil {
		return nil, err
	}
	return a.farm(c, m).Golden(ctx, b, p)
}

func (a *app) tools(c *cache.Cache) *tool.Store { return &tool.Store{Cache: c, Log: logLine} }

// unfit makes a mistake in the request a usage error.
func unfit(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}
