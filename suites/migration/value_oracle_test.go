package migration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// The comparison of rows is put to the test for every type: one value that is another one must be seen.
var _ = Describe("oracle", Label(cell.LabelFull), func() {
	It("detects one changed value in any column of any scenario", func(ctx SpecContext) {
		t := suitekit.Deploy(ctx, sandbox.ProfileFast, topology.Options{Shape: topology.MustShape("single")})
		one, seen := t.Primary().Server, 0
		var errs []error
		for _, s := range scenarios() {
			if s.lacking(suitekit.Golden(sandbox.ProfileFast).Capabilities) || s.zone != "" {
				continue
			}
			n, err := s.countDetected(ctx, one)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", s.group, s.name, err))
			}
			seen += n
		}
		Expect(errors.Join(errs...)).NotTo(HaveOccurred())
		Expect(seen).To(BeNumerically(">", 50), "hardly any column was tried")
		suitekit.Detail("changed values seen", "", float64(seen))
	})
})

// changedRow is the row that is changed.
const changedRow = 5

// countDetected changes one value of each column of a scenario's table, and counts those that were seen.
func (s scenario) countDetected(ctx context.Context, one *server.Server) (seen int, err error) {
	sides := [2]workload.Side{}
	for i, name := range []string{"left_side", "right_side"} {
		_, err := s.prepare(ctx, one, name)
		var refusal *mysql.MySQLError
		if errors.As(err, &refusal) && s.probed {
			return 0, nil // this server has no such table
		}
		if err != nil {
			return 0, err
		}
		sides[i] = workload.Side{Server: one, Table: workload.Table{Database: name, Name: "t"}}
	}
	if err := workload.Same(ctx, sides[0], sides[1], s.compareBy(false)); err != nil {
		return 0, fmt.Errorf("before anything was changed: %w", err)
	}
	for _, column := range s.typed.Values {
		changed, err := s.alterValue(ctx, one, column)
		if err != nil {
			return seen, err
		}
		err = workload.Same(ctx, sides[0], sides[1], s.compareBy(false))
		if changed == "" || err == nil || !strings.Contains(err.Error(), "the tables differ") {
			return seen, fmt.Errorf("column %s was changed to %q, and the comparison says: %v", column.Name, changed, err)
		}
		seen++
		heal := fmt.Sprintf("UPDATE right_side.t, left_side.t AS l SET right_side.t.%[1]s = l.%[1]s WHERE %[2]s AND %[3]s",
			column.Name, s.where("right_side.t."), s.where("l."))
		if err := s.inDatabase(one, "right_side").Exec(ctx, heal); err != nil {
			return seen, err
		}
	}
	return seen, workload.Same(ctx, sides[0], sides[1], s.compareBy(false))
}

// alterValue gives the row another one of the column's values, and says which; "" when there is none.
func (s scenario) alterValue(ctx context.Context, one *server.Server, column workload.ValueColumn) (string, error) {
	hash := func() (string, error) {
		rows, err := one.Rows(ctx, "SELECT HEX("+column.Name+") AS h, "+column.Name+" AS v FROM right_side.t WHERE "+s.where(""))
		if err == nil && len(rows) != 1 {
			err = fmt.Errorf("the key of row %d names %d rows", changedRow, len(rows))
		}
		if err != nil {
			return "", err
		}
		return rows[0]["h"] + "/" + rows[0]["v"], nil
	}
	before, err := hash()
	if err != nil {
		return "", err
	}
	for _, value := range column.Values {
		if err := s.inDatabase(one, "right_side").Exec(ctx, fmt.Sprintf("UPDATE t SET %s = %s WHERE %s", column.Name, value, s.where(""))); err != nil {
			return "", err
		}
		after, err := hash()
		if err != nil || after != before {
			return value, err
		}
	}
	return "", nil
}

// where names the row; its columns are preceded by prefix.
func (s scenario) where(prefix string) string {
	terms := make([]string, len(s.typed.Key))
	for i, key := range s.typed.Key {
		terms[i] = prefix + key.Name + " = " + key.Of(changedRow)
	}
	return strings.Join(terms, " AND ")
}
