package pseudogtid

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// filters are a server's replication filters, as its status names them.
type filters struct {
	ignore, only []string // databases
	other        []string // what cannot be followed: tables, patterns, rewrites, domains
	all          []string // for people
}

// databaseFilters are the columns of SHOW REPLICA STATUS and SHOW BINARY LOG STATUS that name databases;
// true for those that name the ignored ones.
var databaseFilters = map[string]bool{
	"Replicate_Ignore_DB": true, "Binlog_Ignore_DB": true, "Replicate_Do_DB": false, "Binlog_Do_DB": false,
}

var otherFilters = []string{
	"Replicate_Do_Table", "Replicate_Ignore_Table", "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table",
	"Replicate_Rewrite_DB", "Replicate_Do_Domain_Ids", "Replicate_Ignore_Domain_Ids", "Replicate_Ignore_Server_Ids",
}

// filtersOf reads the filters of a server.
func (h *history) filters(ctx context.Context) (f filters, err error) {
	logStatus, err := h.server.Rows(ctx, h.server.Dialect.ShowBinaryLogStatus)
	if err != nil {
		return f, err
	}
	rows := logStatus
	for _, status := range h.sources {
		rows = append(rows, status.Raw)
	}
	for _, row := range rows {
		for column, ignores := range databaseFilters {
			if row[column] == "" {
				continue
			}
			f.all = append(f.all, column+"="+row[column])
			names := strings.Split(row[column], ",")
			if ignores {
				f.ignore = append(f.ignore, names...)
			} else {
				f.only = append(f.only, names...)
			}
		}
		for _, column := range otherFilters {
			if value := row[column]; value != "" && value != "0" {
				f.all = append(f.all, column+"="+value)
				f.other = append(f.other, column)
			}
		}
	}
	return f, nil
}

// skips says whether the filter drops an item: a row by its table's database, a statement by its default one,
// as servers do.
func (f filters) skips(i Item) bool {
	name := i.database
	if i.Kind == KindRow {
		name = string(i.row.table.Schema)
	} else if i.Kind != KindStatement && i.Kind != KindLoad {
		return false
	}
	if len(f.only) > 0 && !slices.Contains(f.only, name) {
		return true
	}
	return slices.Contains(f.ignore, name)
}

// checkFilters refuses filters, or, when they are allowed, makes a matcher skip what they drop.
func (m Matcher) checkFilters(ctx context.Context, replica, target *history, refuse *RefusalError) (skip func(Item) bool, err error) {
	var both []filters
	for _, one := range []struct {
		h    *history
		what string
	}{{replica, "the replica"}, {target, "the target"}} {
		f, err := one.h.filters(ctx)
		if err != nil {
			return nil, err
		}
		if len(f.all) == 0 {
			continue
		}
		if !m.AllowFilters {
			return nil, refuse.because(Filtered, "%s has %s", one.what, strings.Join(f.all, ", "))
		}
		if len(f.other) > 0 {
			return nil, refuse.because(Filtered, "%s has %s, and only filters of databases can be followed", one.what, strings.Join(f.other, ", "))
		}
		both = append(both, f)
	}
	if len(both) == 0 {
		return nil, nil
	}
	return func(i Item) bool { return slices.ContainsFunc(both, func(f filters) bool { return f.skips(i) }) }, nil
}

// because is the refusal with its reason.
func (e *RefusalError) because(why Refusal, format string, args ...any) *RefusalError {
	e.Why, e.Detail = why, fmt.Sprintf(format, args...)
	return e
}
