// Package matrix reads matrix.yaml, strictly, into entries, tools and expectations, and plans cells.
package matrix

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strings"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/report"
)

// Matrix is matrix.yaml, read and validated.
type Matrix struct {
	Path         string        `yaml:"-" json:"-"`
	Digest       string        `yaml:"-" json:"-"` // of the file and of those that it names
	Tools        []Tool        `yaml:"tools" json:"tools" jsonschema:"required,description=programs under test"`
	Entries      []Entry       `yaml:"entries" json:"entries" jsonschema:"required,description=server release lines"`
	Expectations string        `yaml:"expectations" json:"expectations,omitempty" jsonschema:"description=folder of files of known failures; one for each tool; relative to the matrix file"`
	Known        []Expectation `yaml:"-" json:"-"` // of all these files
	At           Position      `yaml:"-" json:"-"`

	sum hash.Hash
}

// Tier says how often an entry or a tool version is run.
type Tier string

// The tiers. The zero value, where a selection gives none, is full.
const (
	TierPR   Tier = "pr"   // the short tier: every change
	TierFull Tier = "full" // all: nightly, and by hand
)

// ParseTier reads a tier's name.
func ParseTier(s string) (Tier, error) {
	switch t := Tier(s); t {
	case TierPR, TierFull:
		return t, nil
	default:
		return "", fmt.Errorf("tier %q: want pr or full", s)
	}
}

// Entry is one server release line.
type Entry struct {
	Name    string        `yaml:"name" json:"name" jsonschema:"required,description=vendor-series such as mariadb-10.11"`
	Vendor  flavor.Vendor `yaml:"vendor" json:"vendor" jsonschema:"required,type=string,enum=mysql,enum=percona,enum=mariadb"`
	Series  string        `yaml:"series" json:"series" jsonschema:"required,pattern=^([0-9]+\\.[0-9]+|[2-9][0-9])$,description=release line; quote it since YAML reads 10.10 as the number 10.1"`
	Release string        `yaml:"-" json:"-"` // exact, for references beyond the file
	Tier    Tier          `yaml:"tier" json:"tier" jsonschema:"required,enum=pr,enum=full"`
	Sources []Source      `yaml:"sources" json:"sources" jsonschema:"required,minItems=1,description=where its binaries come from; the first that works is taken"`
	Suites  []string      `yaml:"suites" json:"suites,omitempty" jsonschema:"enum=migration,enum=failover,enum=pseudogtid,enum=upgrade,description=suites that run on it; all when left out"`
	Note    string        `yaml:"note" json:"note,omitempty"`
	At      Position      `yaml:"-" json:"-"`
}

// Apt is packages of named suites, from the mirror that the system uses.
type Apt struct {
	Version  string   `yaml:"version" json:"version,omitempty" jsonschema:"description=what was there when this was written; the suite decides"`
	Suites   []string `yaml:"suites" json:"suites,omitempty" jsonschema:"description=left out: the system's own"`
	Packages []string `yaml:"packages" json:"packages" jsonschema:"required,minItems=1"`
	Alone    bool     `yaml:"alone" json:"alone,omitempty" jsonschema:"description=without the packages that these depend on"`
	Size     int64    `yaml:"size" json:"size,omitempty" jsonschema:"description=about how many bytes they are with all that they depend on; told before they are fetched"`
	At       Position `yaml:"-" json:"-"`
}

// Tool is a program under test.
type Tool struct {
	Name     string        `yaml:"name" json:"name" jsonschema:"required"`
	Suites   []string      `yaml:"suites" json:"suites" jsonschema:"required,minItems=1,enum=migration,enum=failover,enum=pseudogtid,enum=upgrade,description=suites that test it"`
	Versions []ToolVersion `yaml:"versions" json:"versions" jsonschema:"required,minItems=1,description=the first is the default"`
	// Options are those that matrix migrate gives it on a user's own tables, before the ones that the user gives.
	Options []string `yaml:"options" json:"options,omitempty" jsonschema:"description=options that matrix migrate gives it; each with its value as --name=value"`
	// Declare is for a tool that the project has no driver for.
	Declare *OwnTool `yaml:"declare" json:"declare,omitempty" jsonschema:"description=how a migration tool of your own is run"`
	// Manager is the same for a failover manager.
	Manager *OwnManager `yaml:"manager" json:"manager,omitempty" jsonschema:"description=how a failover manager of your own is run"`
	At      Position    `yaml:"-" json:"-"`
}

// ToolVersion is one version of a tool and where it comes from; exactly one of Module, Apt, Release, Builtin and
// Program is set.
type ToolVersion struct {
	Version string       `yaml:"version" json:"version" jsonschema:"required"`
	Tier    Tier         `yaml:"tier" json:"tier" jsonschema:"required,enum=pr,enum=full"`
	Module  *Module      `yaml:"module" json:"module,omitempty"`
	Apt     *Apt         `yaml:"apt" json:"apt,omitempty"`
	Release *ToolRelease `yaml:"release" json:"release,omitempty" jsonschema:"description=an archive that the tool's maintainers have published"`
	System  *Apt         `yaml:"system" json:"system,omitempty" jsonschema:"description=further packages of the system's own suite"`
	Builtin bool         `yaml:"builtin" json:"builtin,omitempty" jsonschema:"description=part of this project"`
	Program string       `yaml:"program" json:"program,omitempty" jsonschema:"description=path of a declared tool's executable; relative to matrix.yaml"`
	Path    string       `yaml:"-" json:"-"` // of the user's own build
	// Declared is the tool's declaration, nil for a tool with a driver.
	Declared *OwnTool `yaml:"-" json:"-"`
	// Manager is a failover manager's declaration, nil for one with a driver.
	Manager *OwnManager `yaml:"-" json:"-"`
	At      Position    `yaml:"-" json:"-"`
}

// Module is a command of a Go module.
type Module struct {
	Path    string `yaml:"path" json:"path" jsonschema:"required"`
	Command string `yaml:"command" json:"command" jsonschema:"required,description=folder of the command inside the module"`
	// A module from before go.mod files says nothing of what it was released with.
	Require []string  `yaml:"require" json:"require,omitempty" jsonschema:"description=further modules as path and exact version; for a module that has no go.mod"`
	Replace []Replace `yaml:"replace" json:"replace,omitempty" jsonschema:"description=modules that another one stands in for"`
	At      Position  `yaml:"-" json:"-"`
}

// ToolRelease is a published archive with a program in it.
type ToolRelease struct {
	URL    string   `yaml:"url" json:"url" jsonschema:"required,description=of the archive: a tar archive or a .zip or a .deb; https://… or file:///…"`
	SHA256 string   `yaml:"sha256" json:"sha256" jsonschema:"required,pattern=^[0-9a-fA-F]{64}$,description=of the archive"`
	Path   string   `yaml:"path" json:"path" jsonschema:"required,description=of the program in the archive; with the archive's top folder"`
	At     Position `yaml:"-" json:"-"`
}

// Replace puts another module, or a folder of this project, in the place of one that a tool imports.
type Replace struct {
	Module  string   `yaml:"module" json:"module" jsonschema:"required,description=path of the module that is replaced"`
	By      string   `yaml:"by" json:"by,omitempty" jsonschema:"description=path of another module"`
	Version string   `yaml:"version" json:"version,omitempty" jsonschema:"description=of the other module"`
	Dir     string   `yaml:"dir" json:"dir,omitempty" jsonschema:"description=folder with a module of its own; relative to matrix.yaml"`
	At      Position `yaml:"-" json:"-"`
}

// ToolRef is the tool of a cell: a version, or the user's own build at Path.
type ToolRef struct {
	Name    string
	Version string
	Path    string
	// Baseline is the listed version whose known failures a build at Path is judged by; "" is none.
	Baseline string
	Source   ToolVersion
}

// ID is "gh-ost@v1.1.10"; a build of the user's own is "gh-ost@local".
func (t ToolRef) ID() string { return Cell{Tool: t}.ID().ToolID() }

// Flag is the --tool argument that chooses it.
func (t ToolRef) Flag() string {
	if t.Path != "" {
		return t.Name + "=" + t.Path
	}
	return t.Name + "=" + t.Version
}

// Cell is one entry × one suite × one tool version.
type Cell struct {
	Entry Entry
	Suite string
	Tool  ToolRef
}

// ID names the cell in reports.
func (c Cell) ID() report.CellID {
	id := report.CellID{Entry: c.Entry.Name, Suite: c.Suite, Tool: c.Tool.Name, Version: c.Tool.Version}
	if c.Tool.Path != "" {
		id.Version = report.LocalVersion
	}
	return id
}

// lineName is the name of an entry's release line, "mysql-8.0".
func (e Entry) lineName() string { return e.Vendor.String() + "-" + e.Series }

// Digest is a short digest of the entry's sources: a cached basedir is good as long as it stays the same.
func (e Entry) Digest() string {
	text, err := json.Marshal(e.Sources)
	if err != nil {
		return "none" // strings and numbers always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// digestOf is one digest of several.
func digestOf(digests []string) string {
	sum := sha256.Sum256([]byte(strings.Join(digests, " ")))
	return hex.EncodeToString(sum[:8])
}

// Suites are the suites that there are, in the order in which they are reported.
var Suites = []string{"migration", "failover", "pseudogtid", "upgrade"}
