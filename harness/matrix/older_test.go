package matrix

import (
	"slices"
	"testing"
)

func TestOlder(t *testing.T) {
	m, err := Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"mariadb-10.5":  {"mariadb-10.2"},
		"mariadb-10.11": {"mariadb-10.6", "mariadb-10.5", "mariadb-10.2"},
		"mysql-5.7":     {"mysql-5.6", "mysql-5.6-semi-sync", "mysql-5.5"},
		"mysql-8.0":     {"mysql-5.7", "percona-5.7"},
	} {
		i := slices.IndexFunc(m.Entries, func(e Entry) bool { return e.Name == name })
		var got []string
		for _, e := range m.Older(m.Entries[i]) {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("older than %s: %v, want %v", name, got, want)
		}
	}
}
