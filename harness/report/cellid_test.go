package report

import (
	"encoding/json"
	"testing"

	"mysqlmatrix/harness/flavor"
)

func TestCellIDIsParsedAsItIsPrinted(t *testing.T) {
	for _, want := range []CellID{
		{"mysql-9.7", "migration", "gh-ost", "v1.1.10"},
		{"mysql@8.0.21", "failover", "embedded", "builtin"},
		{"percona@8.0.36-28", "failover", "orchestrator", "v3.2.5"},
		{"mariadb-10.11", "failover", "", ""},
		{"dir:/opt/mysql@8/failover", "pseudogtid", "embedded", "builtin"},
		{"mysql-9.7", "migration", "gh-ost", "branch/with@signs"},
		{"mysql-9.7", "migration", "gh-ost", LocalVersion},
	} {
		if got, err := ParseCellID(want.String()); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", want, got, err)
		}
	}
	for _, bad := range []string{"", "mysql-9.7", "/failover", "mysql-9.7/"} {
		if got, err := ParseCellID(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

// Files of version 1 had a tool and its version, and a server's version and build, each in one text.
func TestFilesOfVersion1(t *testing.T) {
	var id CellID
	if err := json.Unmarshal([]byte(`{"entry":"mysql-9.7","suite":"migration","tool":"gh-ost@v1.1.10"}`), &id); err != nil || id != (CellID{"mysql-9.7", "migration", "gh-ost", "v1.1.10"}) {
		t.Errorf("%+v, %v", id, err)
	}
	for text, want := range map[string]Server{
		`"9.7.4-2 (Debian)"`:                               {flavor.MySQL, "9.7.4-2", "(Debian)"},
		`"8.0.36-28 Percona Server (GPL)"`:                 {flavor.Percona, "8.0.36-28", "Percona Server (GPL)"},
		`"10.11.14-MariaDB-0+deb12u2-log Debian 12"`:       {flavor.MariaDB, "10.11.14-MariaDB-0+deb12u2-log", "Debian 12"},
		`{"vendor":"mysql","version":"9.7.4","build":"x"}`: {flavor.MySQL, "9.7.4", "x"},
	} {
		var got Server
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	if got := FailureID(CellID{"e", "s", "t", "1"}, "x"); got != FailureID(CellID{"e", "s", "t@1", ""}, "x") {
		t.Errorf("the id of a failure has changed: %s", got)
	}
}
