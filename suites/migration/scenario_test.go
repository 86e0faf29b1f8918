package migration_test

import (
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/setting"
	"mysqlmatrix/harness/workload"
)

// scenario is a table, what is in it, what is written to it while a tool works, and the change. Statements
// name the table t alone: they run in one database for the tool and in another for the model.
type scenario struct {
	group, name string
	needs       []flavor.Capability // of the server; or
	// probed says that the server is asked by its CREATE: a refusal makes the spec unsupported, with the
	// server's words.
	probed bool
	// create are statements that make the table. Where there is more than one list, a server gets the first
	// that it takes: vendors spell some things differently.
	create [][]string
	alter  string
	// alters override alter for the create of the same index.
	alters []string

	options        []string // of every server
	replicaOptions []string // of the replica alone
	// sessionOptions are statements that do for one session what options do for the server.
	sessionOptions []string
	sqlMode        string // of every server and session; "" is strict
	timeZone       string // of the writers' sessions: an offset, or the zone
	zone           string // a named time zone, which is loaded

	// load are statements that fill the table; nil is typed's.
	load    []string
	typed   workload.Typed
	rows    int // seeded; 0 is seedRows
	scripts func(seed int64) []workload.Script
	course  int // transactions that the scripts must have done while the tool works; 0 is typed.Course
	rate    float64
	limit   time.Duration // of the tool; 0 is toolLimit
	// quiet ends the writers before the tables are exchanged: their statements do not fit the new table.
	quiet bool
	// impossible says that the server's own ALTER TABLE refuses the change, for what is in the rows: so must the tool.
	impossible bool
	// after are statements on the changed table and on the model.
	after []string

	key      []string // columns to compare by; nil is id
	keyAfter []string // after the change, where they are renamed

	settings []setting.Setting // of sessions and servers
	refused  map[string]string // by tool: what it must print when it refuses, where no case says so
	is       migration.Case    // for which tools may need flags, or which they may refuse
	spread   spread
	finds    bool // a tool is known to fail at it, so that it says nothing of settings
	inPR     bool // the pr tier has it, in one way
}

// title is the scenario as a spec's name says it.
func (s scenario) title(tool *migration.Descriptor) string {
	if s.caseOf(tool).Refusal != "" {
		return s.group + ": " + s.name + " is refused"
	}
	return s.group + ": " + s.name
}

// caseOf is what the scenario is for a tool.
func (s scenario) caseOf(tool *migration.Descriptor) migration.ToolCase {
	c := tool.Case(s.is)
	if pattern := s.refused[tool.Name]; pattern != "" {
		c.Refusal = pattern
	}
	return c
}

// fill are the statements that fill the table.
func (s scenario) fill() []string {
	if s.load != nil {
		return s.load
	}
	return s.typed.Seed(s.seeded())
}

// spread is in which ways a scenario runs.
type spread uint8

const (
	// spreadReaders: what depends on how rows are read from a binary log: the primary's own, and that of a
	// replica, which has written its rows anew. All modes that change the primary.
	spreadReaders spread = iota
	// spreadOne: what does not: the tool's first mode on the primary.
	spreadOne
	// spreadAll: a few that run in every way. The change must leave the order of the columns that were there,
	// since a replica with the new table goes on with the primary's rows (migrate-on-replica).
	spreadAll
)

// way is a mode of a tool, perhaps with arguments of its own.
type way struct {
	mode  migration.Mode
	name  string
	flags []string
}

// waysOf are a scenario's, for a tool.
func (s scenario) waysOf(tool *migration.Descriptor) []way {
	var list []way
	modes := tool.Modes
	switch s.spread {
	case spreadOne:
		modes = tool.PrimaryModes[:1]
	case spreadReaders:
		modes = tool.PrimaryModes
	}
	for _, mode := range modes {
		list = append(list, way{mode: mode, name: mode.String()})
	}
	if s.spread == spreadAll {
		for _, v := range tool.Variants {
			list = append(list, way{v.Mode, v.Name, v.Flags})
		}
	}
	return list
}

// scenarios are all of them.
func scenarios() []scenario {
	var list []scenario
	for _, group := range [][]scenario{numberTypes, textTypes, timeTypes, vendorTypes, tableTypes, keyScenarios, changeScenarios, workloadScenarios, folderScenarios} {
		list = append(list, group...)
	}
	return list
}

// seedRows are enough for several chunks.
const seedRows = 240

func (s scenario) seeded() int {
	if s.rows > 0 {
		return s.rows
	}
	return seedRows
}

func (s scenario) compareBy(changed bool) []string {
	switch {
	case changed && s.keyAfter != nil:
		return s.keyAfter
	case s.key != nil:
		return s.key
	default:
		return []string{"id"}
	}
}

// change is the ALTER for a table that was made by the given list of statements.
func (s scenario) change(variant int) string {
	if s.alters != nil {
		return s.alters[variant]
	}
	return s.alter
}

func (s scenario) enough() int {
	if s.course > 0 {
		return s.course
	}
	return s.typed.Course()
}

// play is what the writers run.
func (s scenario) play(seed int64) []workload.Script {
	scripts := []workload.Script{s.typed.Script(seed, s.seeded(), 0, 1)}
	if s.scripts != nil {
		scripts = s.scripts(seed)
	}
	for i, script := range scripts {
		scripts[i] = s.around(script, int64(i))
	}
	return scripts
}

// sqlModes are the session's sql_mode.
func (s scenario) sqlModes() string {
	if s.sqlMode == "" {
		return "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
	}
	return s.sqlMode
}

// one is the list of a create that all servers spell alike.
func one(statements ...string) [][]string { return [][]string{statements} }
