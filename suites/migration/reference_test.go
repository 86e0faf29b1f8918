package migration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// algorithms are the server's own ways of changing a table. The first can do every change.
var algorithms = []string{"COPY", "INPLACE", "INSTANT"}

// The model of every scenario is changed by the server itself: that is no reference where the server's own
// ways disagree.
var _ = Describe("reference", Label(cell.LabelFull), func() {
	It("the server's own INSTANT, INPLACE and COPY agree in every scenario", func(ctx SpecContext) {
		t := suitekit.Deploy(ctx, sandbox.ProfileFast, topology.Options{Shape: topology.MustShape("single")})
		var errs []error
		taken := map[string]int{}
		for _, s := range scenarios() {
			if s.zone != "" || s.lacking(suitekit.Golden(sandbox.ProfileFast).Capabilities) {
				continue
			}
			if err := s.agrees(ctx, t.Primary().Server, taken); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", s.group, s.name, err))
			}
		}
		for _, algorithm := range algorithms {
			suitekit.Detail("scenarios changed by "+algorithm, "", float64(taken[algorithm]))
		}
		Expect(taken["COPY"]).To(BeNumerically(">", 1), "hardly any scenario was compared")
		if err := errors.Join(errs...); err != nil {
			Fail(err.Error())
		}
	})
})

// agrees is an error unless all algorithms that the server takes make the same of a scenario's table.
func (s scenario) agrees(ctx context.Context, one *server.Server, taken map[string]int) error {
	var first *workload.Table
	refused := false // by the first algorithm, which can do every change
	for _, algorithm := range algorithms {
		t := workload.Table{Database: "ref_" + algorithm, Name: "t"}
		variant, err := s.prepare(ctx, one, t.Database)
		var refusal *mysql.MySQLError
		if errors.As(err, &refusal) && s.probed {
			return nil // this server has no such table
		}
		if err != nil {
			return err
		}
		session := s.inDatabase(one, t.Database)
		err = session.Exec(ctx, "ALTER TABLE t "+s.change(variant)+", ALGORITHM="+algorithm)
		switch {
		case errors.As(err, &refusal) && algorithm != algorithms[0]:
			continue // it cannot do this change in this way
		case errors.As(err, &refusal) && s.impossible:
			refused = true
			continue
		case err != nil:
			return err
		case refused:
			return fmt.Errorf("%s refuses the change, and %s makes it", algorithms[0], algorithm)
		}
		taken[algorithm]++
		if first == nil {
			first = &t
			continue
		}
		if err := errors.Join(
			sameDefinition(ctx, one, *first, one, t),
			workload.Same(ctx, workload.Side{Server: one, Table: *first}, workload.Side{Server: one, Table: t}, s.compareBy(true)),
		); err != nil {
			return fmt.Errorf("%s and %s differ: %w", algorithms[0], algorithm, err)
		}
	}
	return nil
}

// lacking says that the server cannot do what the scenario is about.
func (s scenario) lacking(able map[flavor.Capability]bool) bool {
	return slices.ContainsFunc(s.needs, func(c flavor.Capability) bool { return !able[c] })
}

func (s scenario) inDatabase(one *server.Server, name string) workload.Session {
	return workload.Session{Endpoint: one.Endpoint, Database: name, Setup: append(s.session(), s.sessionOptions...)}
}

// prepare makes and fills a scenario's table in a database of its own.
func (s scenario) prepare(ctx context.Context, one *server.Server, name string) (variant int, err error) {
	for variant = range s.create {
		if err := one.Exec(ctx, "DROP DATABASE IF EXISTS "+server.Ident(name), "CREATE DATABASE "+server.Ident(name)); err != nil {
			return 0, err
		}
		if err = s.inDatabase(one, name).Exec(ctx, s.create[variant]...); err == nil {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	return variant, s.inDatabase(one, name).Exec(ctx, s.fill()...)
}
