//go:build planted

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
)

var rounds = flag.Int("rounds", 2, "how often two runners take the same ports")

// Two runners whose servers take the same ports at the same time: whoever comes up has servers of its own, and nobody writes to
// the other's.
func TestTwoRunnersOnOnePort(t *testing.T) {
	needsServer(t)
	t.Parallel()
	up := 0
	for range *rounds {
		came, wrong := twoUps(t)
		for _, one := range wrong {
			t.Error(one)
		}
		up += came
	}
	t.Logf("of %d runners %d came up", 2**rounds, up)
	if up < *rounds {
		t.Errorf("%d of %d runners came up, want one a round", up, 2**rounds)
	}
}

// Without the check of who answers the rounds go wrong.
func TestTwoRunnersOnOnePortUnchecked(t *testing.T) {
	needsServer(t)
	t.Parallel()
	for range 10 {
		if _, wrong := twoUps(t, server.PlantedStrangers+"=1"); len(wrong) > 0 {
			t.Log(wrong)
			return
		}
	}
	t.Error("ten rounds without the check went as with it: they do not show that it is needed")
}

// Runs on the same ports pass, or are errored, and blame nobody.
func TestTwoRunsOnOnePort(t *testing.T) {
	needsServer(t)
	t.Parallel()
	for range *rounds {
		runs, ports := runFolder(t), heldPorts(t)
		var both []*command
		outs := []string{t.TempDir(), t.TempDir()}
		for _, out := range outs {
			c := prepare(t, runs, pseudo(out, "--tool", "embedded", "--focus", "finds the same coordinates")...)
			c.Env = append(c.Env, ports)
			c.begin(t)
			both = append(both, c)
		}
		for i, c := range both {
			code, output := c.wait(t, upLimit)
			if code != 0 && code != exitErrored {
				t.Errorf("exit code %d:\n%s", code, output)
			}
			result, err := results.Read(outs[i])
			if err != nil {
				t.Fatal(err)
			}
			totals := result.SpecTotals()
			t.Logf("exit code %d: %v", code, totals)
			if totals[report.VerdictPassed]+totals[report.VerdictErrored] != 1 || len(totals) > 1 {
				t.Errorf("want one spec that passed or is errored: %v\n%s", totals, output)
			}
		}
	}
}

// heldPorts is the setting of ports that runners are to take. They are leased here, so that nobody else on the machine has them.
func heldPorts(t *testing.T) string {
	t.Helper()
	var list []string
	for range 12 {
		lease, err := sandbox.LeasePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
		})
		list = append(list, strconv.Itoa(lease.Port))
	}
	return sandbox.PlantedPorts + "=" + strings.Join(list, " ")
}

// twoUps brings up two topologies at once on the same ports. It returns how many said that they came up, and what is wrong.
func twoUps(t *testing.T, env ...string) (came int, wrong []string) {
	t.Helper()
	env = append(env, heldPorts(t))
	var both []*command
	folders := []string{runFolder(t), runFolder(t)}
	for _, runs := range folders {
		c := prepare(t, runs, "up", entryName, "--topology", "star:1", "--json")
		c.Env = append(c.Env, env...)
		c.begin(t)
		both = append(both, c)
	}
	stand := map[string]devtopology.Topology{}
	for i, c := range both {
		code, output := c.wait(t, upLimit)
		switch code {
		case 0:
			var one devtopology.Topology
			if err := json.Unmarshal([]byte(output[strings.Index(output, "{"):]), &one); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			stand[folders[i]] = one
		case exitErrored: // the ports were taken again and again
		default:
			wrong = append(wrong, fmt.Sprintf("exit code %d: %s", code, output))
		}
	}
	for runs, one := range stand {
		wrong = append(wrong, ownServers(t, one, filepath.Base(filepath.Dir(runs)))...)
	}
	for runs := range stand {
		mustRun(t, runs, "down", "--all")
	}
	return len(stand), wrong
}

// ownServers are the nodes of a topology that do not run, at whose port another server answers, or that have a row of the other's.
func ownServers(t *testing.T, one devtopology.Topology, owner string) (wrong []string) {
	t.Helper()
	for i, n := range one.Nodes {
		if !n.Running {
			wrong = append(wrong, n.Name+" does not run")
		}
		if err := ownServer(t.Context(), n, i == 0, owner); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s on port %d: %v", n.Name, n.Port, err))
		}
	}
	return wrong
}

func ownServer(ctx context.Context, n devtopology.Node, primary bool, owner string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	db, err := server.Open(ctx, server.Endpoint{Host: n.Host, Port: n.Port, User: n.User, Password: n.Password})
	if err != nil {
		return err
	}
	defer db.Close()
	switch got, err := db.Variable(ctx, "datadir"); {
	case err != nil:
		return err
	case filepath.Clean(got) != filepath.Join(n.Dir, "data"):
		return fmt.Errorf("there answers the server in %s", got)
	}
	if !primary {
		return nil
	}
	// A database of one name: it is a mistake to make it on a server that has the other's already.
	return db.Exec(ctx, "CREATE DATABASE own", "CREATE TABLE own.t (id INT PRIMARY KEY, owner VARCHAR(100))",
		"INSERT INTO own.t VALUES (1, '"+owner+"')")
}
