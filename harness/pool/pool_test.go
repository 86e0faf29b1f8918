package pool

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

// Topologies that were deployed with anything else are not the same.
func TestKey(t *testing.T) {
	golden := &sandbox.Golden{Dir: "/g"}
	star := topology.MustShape("star:1")
	all := map[string]string{}
	for name, o := range map[string]topology.Options{
		"plain": {Shape: star}, "shape": {Shape: topology.MustShape("star:2")}, "GTID": {Shape: star, GTID: true},
		"format": {Shape: star, Format: "MIXED"}, "server": {Shape: star, Server: []string{"a=1"}},
		"two options": {Shape: star, Server: []string{"a=1", "b"}}, "one option": {Shape: star, Server: []string{"a=1 b"}},
		"primary": {Shape: star, PerNode: map[int][]string{0: {"a=1"}}}, "replica": {Shape: star, PerNode: map[int][]string{1: {"a=1"}}},
	} {
		key := keyOf(golden, o)
		if other, ok := all[key]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		if key != keyOf(golden, o) {
			t.Errorf("%s has two keys", name)
		}
		all[key] = name
	}
	if keyOf(&sandbox.Golden{Dir: "/h"}, topology.Options{Shape: star}) == keyOf(golden, topology.Options{Shape: star}) {
		t.Error("two servers have the same key")
	}
}

func TestShareable(t *testing.T) {
	fast, durable := &sandbox.Golden{Profile: sandbox.ProfileFast}, &sandbox.Golden{Profile: sandbox.ProfileDurable}
	star := topology.MustShape("star:1")
	for _, c := range []struct {
		golden *sandbox.Golden
		o      topology.Options
		want   bool
	}{
		{fast, topology.Options{Shape: star}, true},
		{durable, topology.Options{Shape: star}, false}, // its specs crash servers
		{fast, topology.Options{Shape: star, SemiSync: true}, false},
		{fast, topology.Options{Shape: topology.MustShape("ring:2")}, false},
		{fast, topology.Options{Shape: star, Golden: map[int]*sandbox.Golden{0: durable}}, false},
	} {
		if got := Shareable(c.golden, c.o); got != c.want {
			t.Errorf("%s of profile %s: shareable %t, want %t", c.o.Shape, c.golden.Profile, got, c.want)
		}
	}
}

// Of many that want an idle topology at once one gets it, and it is held by that one.
func TestClaimOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "1")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, idleFile), []byte("key"), 0o644); err != nil {
		t.Fatal(err)
	}
	var got atomic.Int32
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if claim(dir, "/user") {
				got.Add(1)
			}
		})
	}
	group.Wait()
	if got.Load() != 1 {
		t.Errorf("%d have the topology", got.Load())
	}
	if held, err := Held(filepath.Dir(dir), "/user"); err != nil || len(held) != 1 || held[0] != dir {
		t.Errorf("held: %v, %v", held, err)
	}
	if held, err := Held(filepath.Dir(dir), "/other"); err != nil || len(held) != 0 {
		t.Errorf("held by another: %v, %v", held, err)
	}
}

// A pool that is full removes what has been idle longest; a folder without servers is removed as well.
func TestRoom(t *testing.T) {
	p := Pool{Dir: t.TempDir(), Idle: 2}
	for range 3 {
		dir, err := p.folder()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, idleFile), []byte("key"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.makeRoom(); err != nil {
		t.Fatal(err)
	}
	if dirs, err := p.idle(); err != nil || len(dirs) != 1 {
		t.Errorf("idle are %v, %v; want one, so that there is room for another", dirs, err)
	}
	if m := p.take(context.Background(), filepath.Join(p.Dir, "3"), "other key", "/user"); m != nil {
		t.Error("a topology of other options is given out")
	}
}

func TestDifference(t *testing.T) {
	was := Fingerprint{"global variable sql_mode": "A", "schema mysql": "", "contents of mysql.user": "1"}
	for want, now := range map[string]Fingerprint{
		"": {"global variable sql_mode": "A", "schema mysql": "", "contents of mysql.user": "1"},
		`global variable sql_mode was "A" and is ""`: {"global variable sql_mode": "", "schema mysql": "", "contents of mysql.user": "1"},
		`account a@b is left; contents of mysql.user was "1" and is "2"`: {
			"global variable sql_mode": "A", "schema mysql": "", "contents of mysql.user": "2", "account a@b": ""},
		"schema mysql is gone": {"global variable sql_mode": "A", "contents of mysql.user": "1"},
	} {
		if got := now.difference(was); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (Fingerprint{}).difference(Fingerprint{"a": "", "b": "", "c": "", "d": "", "e": ""}); !strings.HasSuffix(got, "; 2 more") {
		t.Errorf("%q does not say how many more there are", got)
	}
}

// Nothing stops a server that other specs may have next.
func TestSharedIsNotTouched(t *testing.T) {
	s := &sandbox.Sandbox{}
	s.Share(true)
	for what, err := range map[string]error{"kill": s.Kill(), "stop": s.Stop(context.Background()), "signal": s.Signal(0)} {
		if err == nil || !strings.Contains(err.Error(), "deploys its own") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
