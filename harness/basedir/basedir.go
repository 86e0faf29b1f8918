// Package basedir turns the sources of a matrix entry into verified server installations in the layout of
// a vendor's tarball, cached, shared and never changed afterwards.
package basedir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/flavor"
)

// metadataFile is where a basedir says of itself what it is.
const metadataFile = "basedir.json"

// Basedir is one server installation.
type Basedir struct {
	Path     string        `json:"-"`      // absolute
	Digest   string        `json:"digest"` // SHA-256 over what it was made from, in hexadecimal
	Flavor   flavor.Flavor `json:"flavor"`
	Entry    string        `json:"-"`               // the matrix entry that it was obtained for
	Source   string        `json:"source"`          // for humans
	Version  string        `json:"version"`         // as mysqld --version says it, with its suffixes
	Comment  string        `json:"version_comment"` // likewise
	Packages []apt.Package `json:"packages,omitempty"`
}

// Mysqld is the path of the server program.
func (b *Basedir) Mysqld() string { return filepath.Join(b.Path, "bin", "mysqld") }

// load reads the basedir in a folder of the cache.
func load(path, entry string) (*Basedir, error) {
	text, err := os.ReadFile(filepath.Join(path, metadataFile))
	if err != nil {
		return nil, fmt.Errorf("cached basedir: %w", err)
	}
	b := &Basedir{Path: path, Entry: entry}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("cached basedir: %s: %w", metadataFile, err)
	}
	return b, nil
}

func (b *Basedir) save(dir string) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("describe basedir: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, metadataFile), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("describe basedir: %w", err)
	}
	return nil
}

// UnavailableError says that none of an entry's sources could be obtained on this machine.
type UnavailableError struct {
	Entry    string
	Attempts []error // one for each source, in order
}

// Error names the entry and what became of each source.
func (e *UnavailableError) Error() string {
	if len(e.Attempts) == 0 {
		return fmt.Sprintf("%s is unavailable: it has no source", e.Entry)
	}
	lines := make([]string, 0, len(e.Attempts)+1)
	lines = append(lines, e.Entry+" is unavailable:")
	for _, err := range e.Attempts {
		lines = append(lines, "  "+strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the error of each source.
func (e *UnavailableError) Unwrap() []error { return e.Attempts }
