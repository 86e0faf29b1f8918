package sandbox

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/server"
)

var rounds = flag.Int("rounds", 2, "how often two servers are started on one port")

// realGolden is the golden sandbox of a real server, from the cache that all tests share.
func realGolden(t *testing.T) *Golden {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers")
	}
	root, err := cache.DefaultDir(os.Getenv("MATRIX_CACHE"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	m, err := matrix.Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Resolve("mariadb-10.11")
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&basedir.Store{Cache: c, Log: func(text string) { t.Log(text) }}).Obtain(t.Context(), e, "../..")
	if err != nil {
		t.Fatal(err)
	}
	farm := &Farm{Cache: c, Dbdeployer: func(context.Context) (string, error) {
		out, err := exec.Command("go", "tool", "-n", "dbdeployer").Output()
		return strings.TrimSpace(string(out)), err
	}}
	g, err := farm.Golden(t.Context(), b, ProfileFast)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// clone is a new sandbox, removed when the test ends.
func clone(t *testing.T, g *Golden, dir, name string) *Sandbox {
	t.Helper()
	s, err := g.Clone(filepath.Join(dir, name), Spec{ServerID: 1, Scope: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// force gives a sandbox a port without a lease, as another program would take one.
func force(t *testing.T, s *Sandbox, port int) {
	t.Helper()
	old, socket := s.meta.Port, s.Socket()
	s.meta.Port = port
	if err := s.replace(strings.NewReplacer(socket, s.Socket(), strconv.Itoa(old), strconv.Itoa(port))); err != nil {
		t.Fatal(err)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mm") // the path of a socket is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// owns says whether what answers at a sandbox's endpoint is its own server.
func owns(t *testing.T, s *Sandbox) {
	t.Helper()
	endpoint := s.Endpoint()
	endpoint.DataDir = "" // whoever answers
	db, err := server.Open(t.Context(), endpoint)
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	if got, err := db.Variable(t.Context(), "datadir"); err != nil || filepath.Clean(got) != s.DataDir() {
		t.Errorf("at the port of %s answers the server in %s, %v", s.DataDir(), got, err)
	}
}

// TestTwoServersOnOnePort: two new servers that start at once on one port both come up, each on a port of its own.
func TestTwoServersOnOnePort(t *testing.T) {
	g := realGolden(t)
	for range *rounds {
		dir := shortDir(t)
		both := []*Sandbox{clone(t, g, dir, "a"), clone(t, g, dir, "b")}
		port := both[0].Port()
		force(t, both[1], port)
		var wg sync.WaitGroup
		for _, s := range both {
			wg.Go(func() {
				if err := s.Start(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if both[0].Port() == both[1].Port() || !both[0].Running() || !both[1].Running() {
			t.Errorf("ports %d and %d, running %t and %t", both[0].Port(), both[1].Port(), both[0].Running(), both[1].Running())
		}
		for _, s := range both {
			owns(t, s)
			if err := s.Remove(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPortTakenAtRestart: a server whose port is known to others does not move; that its port is another's now is an error,
// at its start and at every connection.
func TestPortTakenAtRestart(t *testing.T) {
	g := realGolden(t)
	dir := shortDir(t)
	ours, other := clone(t, g, dir, "a"), clone(t, g, dir, "b")
	if err := ours.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	port := ours.Port()
	if err := ours.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	force(t, other, port)
	if err := other.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := ours.Start(t.Context())
	if err == nil || !portTaken(err) || ours.Port() != port || ours.Running() {
		t.Errorf("restart on a port that is taken: %v, port %d, running %t", err, ours.Port(), ours.Running())
	}
	_, err = server.Open(t.Context(), ours.Endpoint())
	var stranger *server.StrangerError
	if !errors.As(err, &stranger) || !strings.Contains(err.Error(), other.DataDir()) || !strings.Contains(err.Error(), ours.DataDir()) {
		t.Errorf("a connection to another's server: %v", err)
	}
	owns(t, other)
}
