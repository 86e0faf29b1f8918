package report

import (
	"encoding/json"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Server is what a cell's server says of itself. It is comparable; the zero Server is one that is not known.
type Server struct {
	Vendor  flavor.Vendor `json:"vendor,omitzero" jsonschema:"type=string,enum=mysql,enum=percona,enum=mariadb"`
	Version string        `json:"version"`         // with its suffixes: "10.11.14-MariaDB-0+deb12u2"
	Build   string        `json:"build,omitempty"` // version_comment: "MySQL Community Server (GPL)", "Debian 12"
}

// String is the version and the build.
func (s Server) String() string { return strings.TrimSpace(s.Version + " " + s.Build) }

// ParseServer reads what String writes.
func ParseServer(text string) Server {
	var s Server
	s.Version, s.Build, _ = strings.Cut(text, " ")
	if f, err := flavor.Parse(s.Version, s.Build); err == nil {
		s.Vendor = f.Vendor
	}
	return s
}

// UnmarshalJSON reads files of version 1 as well, in which a server was its String.
func (s *Server) UnmarshalJSON(text []byte) error {
	var words string
	if json.Unmarshal(text, &words) == nil {
		*s = ParseServer(words)
		return nil
	}
	type fields Server // without this method
	return json.Unmarshal(text, (*fields)(s))
}
