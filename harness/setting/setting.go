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
	// Title is what it is called where that is not a variable and its value.
	Title string
	// Session are the statements at the start of an application's session; Server, the option lines of every server.
	// A server that does not know the variable is found out by asking it.
	Session []string
	Server  []string
	// Earlier says that the server has the value while the application opens its sessions, which keep it, and another one
	// afterwards: whoever asks the server does not see it.
	Earlier bool
	// Around is what the application has around each of its statements; n is another number for each. Nil is nothing.
	Around func(n int64) Around
	// Statements are further ones of the application, each for one row of the table t: %[1]s is the condition that names the row,
	// %[2]d its number.
	Statements []string
	// Condition is an SQL expression that is true in an application's session that has the setting; "" where there is none.
	Condition string
	// Refusal is a regular expression that a tool's refusal matches: it names the setting.
	Refusal string
	Needs   []flavor.Capability
	// JSON says that it concerns updates in place of JSON documents.
	JSON bool
	// Large says that it concerns values of tens of kilobytes.
	Large bool
	// Unlogged says that what the application writes is not in the binary log, and so not on replicas.
	Unlogged bool
	// GTID says that the servers replicate by GTID, SemiSync that they do so semi-synchronously.
	GTID, SemiSync bool
	// LowerCase says that the servers keep the names of tables in lower case.
	LowerCase bool
	// Excludes are variables that it is not combined with.
	Excludes []string
	// Reported says that people have lost rows under it: it is tested by itself in the pr tier.
	Reported bool
}

// Around are the statements that an application has around one of its own, and those by which it gives up all of it.
type Around struct{ Before, After, Undo []string }

// String is "binlog_row_image=MINIMAL in sessions", "… on the server", or the title.
func (s Setting) String() string {
	where := " in sessions"
	switch {
	case s.Title != "":
		return s.Title
	case s.Earlier:
		where = " in sessions opened before it was changed"
	case s.Server != nil:
		where = " on the server"
	}
	return s.Variable + "=" + s.Value + where
}

// InAnyScenario says that it can be tried with any table and any statements; others say what they are tried with.
func (s Setting) InAnyScenario() bool {
	return !s.JSON && !s.Large && !s.Unlogged && s.Around == nil && s.Statements == nil &&
		(s.Variable != CharacterSet || s.Value == "utf8mb4")
}

// InFailovers says that it concerns failovers: replicas have what the application writes, and the application opens new sessions.
func (s Setting) InFailovers() bool {
	return s.Variable == "autocommit" || s.InAnyScenario() && !s.Earlier && !s.LowerCase
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

// combines says whether two settings can be combined: they set different things, no transaction is enclosed twice, and one table
// has what both of them need.
func combines(a, b Setting) bool {
	return a.Variable != b.Variable && !slices.Contains(a.Excludes, b.Variable) && !slices.Contains(b.Excludes, a.Variable) &&
		(a.Around == nil || b.Around == nil) && (a.wants() == "" || b.wants() == "" || a.wants() == b.wants())
}

// wants is the table that a setting is tried with, "" for any.
func (s Setting) wants() string {
	switch {
	case s.JSON:
		return "documents"
	case s.Large:
		return "large values"
	case s.Statements != nil:
		return "the columns of its statements"
	}
	return ""
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
