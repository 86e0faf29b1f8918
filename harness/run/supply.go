package run

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
)

// Supply obtains what cells need, each thing once however many cells ask for it at the same time.
type Supply struct {
	Project  string // the checkout: matrix.yaml's folder
	Basedirs *basedir.Store
	Farm     *sandbox.Farm
	Tools    *tool.Store
	Binaries string // folder for compiled suites

	mu   sync.Mutex
	once map[string]*supplied
}

type supplied struct {
	done  chan struct{}
	value any
	err   error
}

// obtain runs make for a key once; others wait for its result.
func obtain[T any](ctx context.Context, s *Supply, key string, make func() (T, error)) (T, error) {
	s.mu.Lock()
	if s.once == nil {
		s.once = map[string]*supplied{}
	}
	one, ok := s.once[key]
	if !ok {
		one = &supplied{done: newDone()}
		s.once[key] = one
	}
	s.mu.Unlock()
	if !ok {
		one.value, one.err = make()
		close(one.done)
	}
	var none T
	select {
	case <-one.done:
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	if one.err != nil {
		return none, one.err
	}
	return one.value.(T), nil
}

func newDone() chan struct{} { return make(chan struct{}) }

// toFetch says about how much there is to fetch before the cells' servers are there; "" when nothing is known to be missing.
func (s *Supply) toFetch(cells []matrix.Cell) string {
	if s == nil || s.Basedirs == nil {
		return ""
	}
	var total int64
	var parts []string
	seen := map[string]bool{}
	for _, one := range cells {
		if seen[one.Entry.Name] {
			continue
		}
		seen[one.Entry.Name] = true
		if size := s.Basedirs.DownloadSize(one.Entry); size > 0 {
			total += size
			parts = append(parts, fmt.Sprintf("%s %d", one.Entry.Name, size/1e6))
		}
	}
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("about %d MB of servers to fetch, where no other source of theirs is reached first: %s", total/1e6, strings.Join(parts, ", "))
}

// Basedir obtains an entry's server.
func (s *Supply) Basedir(ctx context.Context, e matrix.Entry) (*basedir.Basedir, error) {
	return obtain(ctx, s, basedirKey(e), func() (*basedir.Basedir, error) {
		return s.Basedirs.Obtain(ctx, e, s.Project)
	})
}

// unavailable says why an entry's server is not available on this machine, when another cell has found that out; nil otherwise.
func (s *Supply) unavailable(e matrix.Entry) error {
	s.mu.Lock()
	one := s.once[basedirKey(e)]
	s.mu.Unlock()
	if one == nil {
		return nil
	}
	select {
	case <-one.done:
	default:
		return nil
	}
	if isUnavailable(one.err) {
		return one.err
	}
	return nil
}

func basedirKey(e matrix.Entry) string { return "basedir " + e.Name }

// Golden obtains the golden sandbox of an entry's server.
func (s *Supply) Golden(ctx context.Context, e matrix.Entry, p sandbox.Profile) (*sandbox.Golden, error) {
	b, err := s.Basedir(ctx, e)
	if err != nil {
		return nil, err
	}
	return obtain(ctx, s, "golden "+e.Name+" "+string(p), func() (*sandbox.Golden, error) {
		return s.Farm.Golden(ctx, b, p)
	})
}

// Tool obtains the program under test.
func (s *Supply) Tool(ctx context.Context, ref matrix.ToolRef) (*tool.Program, error) {
	return obtain(ctx, s, "tool "+ref.ID(), func() (*tool.Program, error) { return s.Tools.Obtain(ctx, ref) })
}

// Suite compiles a suite and returns the program.
func (s *Supply) Suite(ctx context.Context, name string) (string, error) {
	return obtain(ctx, s, "suite "+name, func() (string, error) {
		path := filepath.Join(s.Binaries, name+".test")
		if _, err := proc.Run(ctx, proc.Cmd{
			Path: "go", Args: []string{"test", "-c", "-tags", "planted", "-o", path, "./suites/" + name}, Dir: s.Project, Inherit: true,
			Scope: s.Binaries, // go makes that folder again when it ends after a runner that was killed
		}); err != nil {
			return "", fmt.Errorf("compile suite %s: %w", name, err)
		}
		return path, nil
	})
}
