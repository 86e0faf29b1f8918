package migration_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

// zoneinfo is where a machine keeps the time zones.
const zoneinfo = "/usr/share/zoneinfo"

// zonePrograms turn a time zone into statements, by vendor's name for it.
var zonePrograms = []string{"mariadb-tzinfo-to-sql", "mysql_tzinfo_to_sql"}

// loadZone gives servers a named time zone, by the program of their own release.
func loadZone(ctx context.Context, name string, servers ...*server.Server) {
	GinkgoHelper()
	file := filepath.Join(zoneinfo, name)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		suitekit.Unsupported("this machine has no time zone to load: " + err.Error())
	}
	var program string
	for _, candidate := range zonePrograms {
		path := filepath.Join(suitekit.Golden(sandbox.ProfileFast).Basedir, "bin", candidate)
		if _, err := os.Stat(path); err == nil {
			program = path
		}
	}
	if program == "" {
		suitekit.Unsupported("this build of the server has no program to load time zones: " + strings.Join(zonePrograms, ", "))
	}
	text, err := proc.Run(ctx, proc.Cmd{Path: program, Args: []string{file, name}, Scope: suitekit.Cell().Dir})
	suitekit.NoFault(err)
	for _, one := range servers {
		session := workload.Session{Endpoint: one.Endpoint, Database: "mysql", Setup: []string{"SET SESSION sql_log_bin = 0"}}
		suitekit.NoFault(session.Exec(ctx, zoneStatements(string(text))...))
	}
}

// zoneStatements are those that write the zone; MariaDB's program adds some for Galera.
func zoneStatements(text string) []string {
	var list []string
	for statement := range strings.SplitSeq(text, ";\n") {
		statement = strings.TrimSpace(statement)
		if strings.HasPrefix(statement, "INSERT INTO time_zone") || strings.HasPrefix(statement, "SET @time_zone_id") {
			list = append(list, statement)
		}
	}
	return list
}
