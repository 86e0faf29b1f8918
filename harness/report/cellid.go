package report

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// CellID names a cell: one entry × one suite × one version of a tool. Tool and Version are empty where the suite has no
// tool to choose. It is comparable.
type CellID struct {
	Entry   string `json:"entry"`
	Suite   string `json:"suite"`
	Tool    string `json:"tool,omitempty"`
	Version string `json:"version,omitempty"` // of the tool; "local" is a build of the user's own
}

// LocalVersion is the version of a build of the user's own, which has none.
const LocalVersion = "local"

// String is "entry/suite/tool@version", as matrix run --cell and ParseCellID read it; without a tool "entry/suite".
func (c CellID) String() string {
	if c.Tool == "" {
		return c.Entry + "/" + c.Suite
	}
	return c.Entry + "/" + c.Suite + "/" + c.ToolID()
}

// ToolID is "tool@version"; without a version the tool alone.
func (c CellID) ToolID() string {
	if c.Version == "" {
		return c.Tool
	}
	return c.Tool + "@" + c.Version
}

// cellName takes a name apart. The path of an installation may have any of the signs that part a name, so that suite and
// tool are looked for from the end; names of entries in matrix.yaml and exact releases have no slash.
var cellName = regexp.MustCompile(`^((?:dir|tarball|file):.*|[^/]*)/([^/@]+)(?:/([^/@]+)(?:@(.*))?)?$`)

// ParseCellID reads what String writes.
func ParseCellID(name string) (CellID, error) {
	parts := cellName.FindStringSubmatch(name)
	if parts == nil || parts[1] == "" {
		return CellID{}, fmt.Errorf("cell %q: want entry/suite/tool@version", name)
	}
	return CellID{Entry: parts[1], Suite: parts[2], Tool: parts[3], Version: parts[4]}, nil
}

// UnmarshalJSON reads files of version 1 as well, in which tool was "tool@version".
func (c *CellID) UnmarshalJSON(text []byte) error {
	type fields CellID // without this method
	if err := json.Unmarshal(text, (*fields)(c)); err != nil {
		return err
	}
	if c.Version == "" {
		c.Tool, c.Version, _ = strings.Cut(c.Tool, "@")
	}
	return nil
}
