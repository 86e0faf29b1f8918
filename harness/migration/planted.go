//go:build planted

package migration

import "mysqlmatrix/harness/tool"

// Planted are faults in a tool's source that suites plant to see them caught. What ships has none of this.
type Planted struct {
	Bugs []Bug // the one for the pr tier first
	// Blind is a build that loses the deletes of sessions in which an SQL expression is true; Stuck, one that never
	// exchanges the tables while it is true on the server. A tool may have neither.
	Blind, Stuck func(condition string) Bug
}

// Bug is one such fault.
type Bug struct {
	What    string // "skips the last chunk"
	Patches []tool.Patch
}

// planted has what stands beside each driver, by the tool's name.
var planted = map[string]Planted{}

// PlantedIn are the faults for a tool.
func PlantedIn(toolName string) Planted { return planted[toolName] }
