// Package setting lists the session and server settings that applications and servers run with, as data: tools have to
// work under them or refuse them, and never lose a row in silence.
package setting

import (
	"math/rand/v2"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Setting is a value of a session or server variable that a scenario is run under.
type Setting struct {
	// Variable is what it sets; two settings of one variable are never combined.
	Variable string
	Value    string
	// Session are the statements at the start of an application's session; Server, the option lines of every server.
	// One of the two is given. A server that does not know the variable is found out by asking it.
	Session []string
	Server  []string
	// Condition is an SQL expression that is true in an application's session that has the setting; "" where there is none.
	Condition string
	// Refusal is a regular expression that a tool's refusal matches: it names the setting.
	Refusal string
	Needs   []flavor.Capability
	// JSON says that it concerns updates in place of JSON documents.
	JSON bool
	// GTID says that the servers replicate by GTID.
	GTID bool
	// Excludes are variables that it is not combined with.
	Excludes []string
	// Reported says that people have lost rows under it: it is tested by itself in the pr tier.
	Reported bool
}

// String is "binlog_row_image=MINIMAL in sessions", or "… on the server".
func (s Setting) String() string {
	where := " in sessions"
	if s.Server != nil {
		where = " on the server"
	}
	return s.Variable + "=" + s.Value + where
}

// Names are settings as a spec's name has them.
func Names(list []Setting) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.String()
	}
	return strings.Join(names, " and ")
}

// On are those of a list that a server of some release has, so that no pair is drawn with one that it lacks.
func On(f flavor.Flavor, list []Setting) []Setting {
	return slices.DeleteFunc(slices.Clone(list), func(s Setting) bool {
		since, ok := releases[s.Variable]
		switch {
		case !ok:
			return false
		case f.IsMariaDB():
			return since.mariadb == never || f.Version.Compare(since.mariadb) < 0
		}
		return since.mysql == never || f.Version.Compare(since.mysql) < 0
	})
}

// combines says whether two settings can be combined.
func combines(a, b Setting) bool {
	return a.Variable != b.Variable && !slices.Contains(a.Excludes, b.Variable) && !slices.Contains(b.Excludes, a.Variable)
}

// Pairs are combinations of two settings, drawn by the seed, in which every setting appears.
func Pairs(seed int64, list []Setting) [][]Setting {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	left := slices.Clone(list)
	random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	var pairs [][]Setting
	for len(left) > 0 {
		first := left[0]
		left = left[1:]
		i := slices.IndexFunc(left, func(s Setting) bool { return combines(first, s) })
		if i >= 0 {
			pairs = append(pairs, []Setting{first, left[i]})
			left = slices.Delete(left, i, i+1)
			continue
		}
		// What is left combines with nothing that is left: any other setting will do.
		for _, j := range random.Perm(len(list)) {
			if combines(first, list[j]) {
				pairs = append(pairs, []Setting{first, list[j]})
				break
			}
		}
	}
	return pairs
}
