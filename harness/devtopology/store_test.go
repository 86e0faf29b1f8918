package devtopology

import (
	"testing"

	"mysqlmatrix/harness/flavor"
)

func TestShortName(t *testing.T) {
	mysql := flavor.Flavor{Vendor: flavor.MySQL, Version: flavor.Version{Major: 5, Minor: 6, Patch: 14}}
	maria := flavor.Flavor{Vendor: flavor.MariaDB, Version: flavor.Version{Major: 11, Minor: 4, Patch: 5}}
	for _, c := range []struct {
		entry  string
		flavor flavor.Flavor
		want   string
	}{
		{"mysql-5.6", mysql, "mysql-5.6"},
		{"dir:/tmp/base/mysql-5.6.14", mysql, "mysql-5.6.14"},
		{"dir:/tmp/a/very/long/path/of/a/base-mariadb", maria, "mariadb-11.4.5"},
		{"mariadb@11.4.5", maria, "mariadb-11.4.5"},
	} {
		if got := shortName(c.entry, c.flavor); got != c.want {
			t.Errorf("%s: %q, want %q", c.entry, got, c.want)
		}
	}
}
