package migration_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

// nextKey is the one part of a table's definition that tells of its rows and not of its structure.
var nextKey = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// structure is the server's own definition of a table, without its name and next generated key.
func structure(ctx context.Context, s *server.Server, table string) (string, error) {
	return definition(ctx, s, workload.Table{Database: database, Name: table})
}

// definition is the structure of a table in any database. A sequence is named with its database.
func definition(ctx context.Context, s *server.Server, t workload.Table) (string, error) {
	rows, err := s.Rows(ctx, "SHOW CREATE TABLE "+t.String())
	if err != nil {
		return "", err
	}
	text := strings.Replace(rows[0]["Create Table"], server.Ident(t.Name), "t", 1)
	return strings.ReplaceAll(nextKey.ReplaceAllString(text, ""), server.Ident(t.Database)+".", ""), nil
}

// compareStructure is an error unless a table is defined as the server's own ALTER TABLE leaves its
// original. model is an empty copy of the original that the ALTER is tried on.
func compareStructure(ctx context.Context, modelAt *server.Server, model string, s *server.Server, table string) error {
	want, err := structure(ctx, modelAt, model)
	if err != nil {
		return err
	}
	got, err := structure(ctx, s, table)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("server %s: table %s is\n%s\nand the server's own ALTER TABLE makes\n%s", s.Endpoint.Addr(), table, got, want)
	}
	return nil
}

// remains are the tables and triggers that a tool made beside the table: "table _orders_gho". The suite's own
// tables have no name of that form.
func remains(ctx context.Context, s *server.Server) ([]string, error) {
	rows, err := s.Rows(ctx, "SELECT CONCAT('table ', table_name) AS what FROM information_schema.tables"+
		" WHERE table_schema = "+server.Quote(database)+" AND table_name LIKE '\\_%'"+
		" UNION ALL SELECT CONCAT('trigger ', trigger_name) FROM information_schema.triggers"+
		" WHERE trigger_schema = "+server.Quote(database))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, row := range rows {
		list = append(list, row["what"])
	}
	return list, nil
}

// leftovers is an error when anything remains but the tables that are expected to.
func leftovers(ctx context.Context, s *server.Server, expected ...string) error {
	list, err := remains(ctx, s)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(list, func(what string) bool {
		return slices.Contains(expected, strings.TrimPrefix(what, "table "))
	})
	if len(left) > 0 {
		return fmt.Errorf("server %s: the tool left %s", s.Endpoint.Addr(), strings.Join(left, ", "))
	}
	return nil
}
