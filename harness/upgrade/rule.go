package upgrade

import (
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// The ways of upgrading.
const (
	WayInPlace = "in-place" // clean shutdown, the new server on the same data directory
	WayRolling = "rolling"  // replicas in place one by one, switchover, the old primary last
	WayLogical = "logical"  // the dump is loaded into the new server
	WayReplica = "replica"  // a new server replicates from the old one, and is promoted
)

// Ways are all of them, in the order in which they are tried.
var Ways = []string{WayLogical, WayInPlace, WayReplica, WayRolling}

// Step is one step from a release line to another, and what its vendor says of it.
type Step struct {
	From, To flavor.Flavor // series: the patch level plays no part
	// InPlace, Replicate say that the vendor supports the new server on the old one's data directory, and as its replica.
	InPlace, Replicate bool
	Source             string // where the vendor says so
}

// String is "mysql 5.7 → mysql 8.0".
func (s Step) String() string { return series(s.From) + " → " + series(s.To) }

func series(f flavor.Flavor) string { return f.Vendor.String() + " " + f.Version.Series() }

const (
	mysqlPaths    = "https://dev.mysql.com/doc/refman/8.4/en/upgrade-paths.html"
	mysqlVersions = "https://dev.mysql.com/doc/refman/8.4/en/replication-compatibility.html"
	mariadbPaths  = "https://mariadb.com/kb/en/upgrading-between-major-mariadb-versions/"
)

// mysqlLine is the release lines of MySQL between which data directories are taken over one by one: up to 8.0 each line from the
// one before; from 8.4 on each long-term line from the long-term line before, or from an innovation release between them.
var mysqlLine = []flavor.Flavor{mysqlAt(5, 5, 0), mysqlAt(5, 6, 0), mysqlAt(5, 7, 0), mysqlAt(8, 0, 0), mysqlAt(8, 4, 0), mysqlAt(9, 7, 0)}

// place is where a server's series stands in a line: of two lines around it, the older.
func place(line []flavor.Flavor, f flavor.Flavor) (at int, exact bool) {
	at = -1
	for i, one := range line {
		if f.Version.Compare(one.Version) >= 0 {
			at = i
		}
	}
	return at, at >= 0 && line[at].Version.Series() == f.Version.Series()
}

// Steps finds the steps from one server to another that the rules support, or says why there are none.
func Steps(from, to flavor.Flavor) ([]Step, error) {
	if from.IsMariaDB() != to.IsMariaDB() {
		return nil, fmt.Errorf("from %s to %s a dump is the only way: neither takes over the other's data directory, nor do they replicate by all of their formats", series(from), series(to))
	}
	if from.Version.Compare(to.Version) > 0 {
		return nil, fmt.Errorf("%s is older than %s: no vendor supports the way down but by a dump", to, from)
	}
	if from.IsMariaDB() {
		return []Step{{From: from, To: to, InPlace: true, Replicate: true, Source: mariadbPaths}}, nil
	}
	start, _ := place(mysqlLine, from)
	end, exact := place(mysqlLine, to)
	if start < 0 || end < 0 {
		return nil, fmt.Errorf("no rule for %s → %s", series(from), series(to))
	}
	var steps []Step
	at := from
	for i := start + 1; i <= end; i++ {
		next := mysqlLine[i]
		if i == end && exact {
			next = to
		}
		steps = append(steps, Step{From: at, To: next, InPlace: true, Replicate: true, Source: mysqlPaths})
		at = next
	}
	if !exact || start == end { // an innovation release behind the last long-term line, or a release of the same line
		steps = append(steps, Step{From: at, To: to, InPlace: true, Replicate: true, Source: mysqlPaths})
	}
	return steps, nil
}

// Between are the release lines that have to be gone through, without the first and the last.
func Between(steps []Step) []flavor.Flavor {
	var list []flavor.Flavor
	for i, s := range steps {
		if i < len(steps)-1 {
			list = append(list, s.To)
		}
	}
	return list
}

// Direct is the step between two servers without what lies between them, and whether the vendor supports it.
func Direct(from, to flavor.Flavor) Step {
	steps, err := Steps(from, to)
	supported := err == nil && len(steps) == 1
	source := mysqlPaths
	if from.IsMariaDB() || to.IsMariaDB() {
		source = mariadbPaths
	}
	if !supported && !from.IsMariaDB() {
		source = mysqlPaths + ", " + mysqlVersions
	}
	return Step{From: from, To: to, InPlace: supported, Replicate: supported, Source: source}
}

// Path is the steps as text: "mysql 5.6 → mysql 5.7 → mysql 8.0".
func Path(steps []Step) string {
	if len(steps) == 0 {
		return ""
	}
	list := []string{series(steps[0].From)}
	for _, s := range steps {
		list = append(list, series(s.To))
	}
	return strings.Join(list, " → ")
}

// ParseWays reads --way: names separated by commas, or "all".
func ParseWays(text string) ([]string, error) {
	if text == "" || text == "all" {
		return slices.Clone(Ways), nil
	}
	var list []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.ReplaceAll(strings.TrimSpace(name), "_", "-")
		if name == "inplace" || name == "in place" {
			name = WayInPlace
		}
		if !slices.Contains(Ways, name) {
			return nil, fmt.Errorf("--way %q: want %s or all", name, strings.Join(Ways, ", "))
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}
