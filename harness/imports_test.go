package harness_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "mysqlmatrix/harness/"

// order is the direction of imports: a package may import those above it in this list. Data flows the
// same way: matrix.yaml → entry → basedir → sandbox → topology → suite → events → report.
var order = []string{
	"flavor", "wait", "setting", "scenario", "proc", "folder", "cache", "archive", "rundir", "report", "page", // leaves, and the page of a report
	"apt", "server", "release", "matrix", "results", "dump",
	"basedir", "tool",
	"sandbox",
	"topology",
	"pool",
	"workload", "fault", "migration", "localtests", "pseudogtid",
	"failover",
	"failover/oracle", "failover/embedded", "failover/orchestrator", "failover/consul", "failover/declared", "failover/process", "usertables", "upgrade",
	"cell", "devtopology",
	"suitekit", "run",
	"attribution", "bundle", "trackrecord",
	"bench",
	"cmd/matrix", "cmd/bench", "cmd/docs",
}

// forbidden are imports that the order would allow and the design does not: the runner starts suites as
// processes and knows nothing of what they do.
var forbidden = map[string][]string{
	"run":        {"fault", "failover", "migration", "localtests", "pseudogtid", "workload", "suitekit"},
	"cmd/matrix": {"suitekit", "fault", "workload"},
}

// owners are libraries that one package wraps for all others.
var owners = map[string]string{"github.com/Shopify/toxiproxy/": "fault"}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name, ours := strings.CutPrefix(fields[0], module)
		if !ours {
			continue
		}
		rank := slices.Index(order, name)
		if rank < 0 {
			t.Errorf("package %s has no place in the order of imports: add it where its one sentence belongs", name)
			continue
		}
		for _, path := range fields[1:] {
			for library, owner := range owners {
				if strings.HasPrefix(path, library) && name != owner {
					t.Errorf("%s imports %s, which only %s may", name, path, owner)
				}
			}
			imported, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			if slices.Index(order, imported) >= rank {
				t.Errorf("%s imports %s, which stands after it in the order", name, imported)
			}
			if slices.Contains(forbidden[name], imported) {
				t.Errorf("%s must not import %s", name, imported)
			}
		}
	}
}
