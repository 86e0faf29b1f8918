package migration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

const (
	modelDatabase = "model"
	scriptRate    = 250 // transactions a second, unless a scenario says otherwise
	performPoll   = 20 * time.Millisecond
	// copyLimit is how long a tool may take from its new table to the first row in it: one that hangs there
	// would hang in every scenario.
	copyLimit = 30 * time.Second
)

var (
	subject = workload.Table{Database: database, Name: "t"}
	// ideal is the model: what the table must become. It is in the primary alone.
	ideal = workload.Table{Database: modelDatabase, Name: "t"}
)

// slowly are the arguments by which a tool copies a small table slowly enough to meet writes.
var slowly = map[string][]string{
	migration.NameGhost: {"--nice-ratio=4"},
	migration.NamePTOSC: {"--sleep=0.03"},
}

// There is one spec for each scenario and way of the tool, in the cells of that tool.
var _ = forEachTool(func(tool migration.Tool) {
	for _, s := range scenarios() {
		for _, w := range s.waysOf(tool) {
			labels := Label()
			if !s.telling || (w.mode != migration.ModePrimary && w.name != migration.ModeTriggers.String()) {
				labels = Label(cell.LabelFull)
			}
			It(fmt.Sprintf("%s: %s: %s", w.name, s.group, s.name), labels, func(ctx SpecContext) {
				g := set(ctx, s, w)
				g.perform(ctx, tool)
				g.judge(ctx)
			})
		}
	}
})

// performance is a scenario on its stage: a primary with the table and the model, and a replica.
type performance struct {
	*topology.Topology
	scenario
	way
	primary, replica *server.Server
	alter            string
	before           string // structure before the change
	record           workload.Record
	result           *migration.Result
	refusedAs        string
}

// set makes the topology, the table and the model.
func set(ctx SpecContext, s scenario, w way) *performance {
	GinkgoHelper()
	suitekit.Require(sandbox.ProfileFast, s.needs...)
	options := topology.Options{Shape: topology.MustShape("star:1"), Server: slices.Clone(s.options)}
	options.Server = append(options.Server, "sql_mode="+s.mode())
	options.Server = append(options.Server, w.mode.ServerOptions()...)
	if s.replica != nil {
		options.PerNode = map[int][]string{1: s.replica}
	}
	t := suitekit.Deploy(ctx, sandbox.ProfileFast, options)
	g := &performance{Topology: t, scenario: s, way: w, primary: t.Primary().Server, replica: t.Replicas()[0].Server}
	if s.zone != "" {
		loadZone(ctx, s.zone, g.primary, g.replica)
	}
	suitekit.NoFault(g.primary.Exec(ctx, "CREATE DATABASE "+database))
	suitekit.NoFault(g.primary.Unlogged(ctx, "CREATE DATABASE "+modelDatabase))
	variant := s.make(ctx, g.onModel())
	g.alter = s.change(variant)
	suitekit.NoFault(g.onSubject().Exec(ctx, s.create[variant]...))
	for _, session := range []workload.Session{g.onSubject(), g.onModel()} {
		suitekit.NoFault(session.Exec(ctx, s.typed.Seed(s.seeded())...))
	}
	suitekit.NoFault(g.primary.Exec(ctx, "ANALYZE TABLE "+subject.String()))
	suitekit.NoFault(t.WaitCaughtUp(ctx))
	var err error
	g.before, err = definition(ctx, g.primary, subject)
	suitekit.NoFault(err)
	return g
}

// make makes a scenario's table by the first list of statements that the server takes, and says by which.
func (s scenario) make(ctx context.Context, session workload.Session) int {
	GinkgoHelper()
	var refusals []error
	for variant, statements := range s.create {
		err := session.Exec(ctx, statements...)
		var refusal *mysql.MySQLError
		if !errors.As(err, &refusal) {
			suitekit.NoFault(err)
			return variant
		}
		refusals = append(refusals, err)
	}
	err := errors.Join(refusals...)
	if !s.probed {
		suitekit.NoFault(err)
	}
	suitekit.Unsupported(err.Error())
	return 0
}

// setup are the statements of a session that writes as the scenario's clients do.
func (s scenario) setup() []string {
	list := []string{"SET SESSION sql_mode = " + server.Quote(s.mode())}
	if s.timeZone != "" {
		list = append(list, "SET SESSION time_zone = "+server.Quote(s.timeZone))
	}
	return list
}

func (g *performance) onSubject() workload.Session {
	return workload.Session{Endpoint: g.primary.Endpoint, Database: database, Setup: g.setup()}
}

// onModel is the same session, but what it does stays on the primary.
func (g *performance) onModel() workload.Session {
	return workload.Session{Endpoint: g.primary.Endpoint, Database: modelDatabase,
		Setup: append([]string{"SET SESSION sql_log_bin = 0"}, g.setup()...)}
}

// perform runs the tool while the scripts write.
func (g *performance) perform(ctx SpecContext, tool migration.Tool) {
	GinkgoHelper()
	limit := g.limit
	if limit == 0 {
		limit = toolLimit
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the tool did not end within %s", limit))
	defer cancel()
	limited, abandon := context.WithCancelCause(limited)
	job := migration.Job{
		Mode: g.way.mode, Database: database, Table: subject.Name, Alter: g.alter,
		Primary: g.primary.Endpoint, Replica: g.replica.Endpoint,
		Workdir: suitekit.WorkDir("tool"), Scope: suitekit.Cell().Dir, ChunkSize: 10,
		Extra: slices.Concat(slowly[tool.Name()], g.scenario.extra[tool.Name()], g.way.extra),
	}
	g.refusedAs = g.refused[tool.Name()]
	if g.refusedAs == "" {
		suitekit.NoFault(job.Hold())
	}
	rate := g.rate
	if rate == 0 {
		rate = scriptRate
	}
	play := workload.StartPlay(ctx, g.onSubject(), &g.record, rate, g.play(suitekit.Cell().Seed)...)
	ended := make(chan error, 1)
	go func() {
		var err error
		g.result, err = tool.Migrate(limited, job)
		ended <- err
	}()
	during, err := g.direct(limited, abandon, &job, play, ended)
	loadErr := play.Stop()
	if g.result != nil {
		suitekit.Attach(g.result.Log)
	}
	if loadErr != nil {
		Fail("the writers met an error that no online change may cause: " + loadErr.Error())
	}
	if g.refusedAs != "" {
		g.refusal(err)
	} else if err != nil {
		Fail(complaint(g.result) + err.Error())
	}
	if g.refusedAs != "" {
		return
	}
	measure(g.result, play.LongestStall())
	suitekit.Detail("writes during the migration", "", float64(during))
	suitekit.Detail("writes refused", "", float64(play.Refused()))
	Expect(during).To(BeNumerically(">=", g.enough()), "the tool ended before all that was to be written while it works")
	if tool.Name() == migration.NameGhost {
		Expect(g.result.DMLApplied).To(BeNumerically(">", 0), "gh-ost took no write from the binary log")
	}
}

// direct lets the tool exchange the tables once the scripts have written enough while it copies, and says how many
// transactions there were in all since it had made the new table. What is written before the first row is copied may
// reach the new table by the copy alone, and is not counted as enough. A script that met an error ends the tool as well.
func (g *performance) direct(ctx context.Context, abandon context.CancelCauseFunc, job *migration.Job, play *workload.Play, ended <-chan error) (during int, err error) {
	applier := g.primary
	if job.Mode.Target(job.Table).Node == migration.NodeReplica {
		applier = g.replica
	}
	tick := time.NewTicker(performPoll)
	defer tick.Stop()
	begin, released := -1, false
	var made time.Time // when the new table was seen
	copying := -1      // how much was written when the first row was there
	for {
		select {
		case err := <-ended:
			if begin < 0 {
				return 0, err
			}
			return g.record.Len() - begin, err
		case <-tick.C:
		}
		if err := play.Err(); err != nil {
			abandon(err) // what was to be written is not
		}
		switch {
		case begin < 0:
			var follows int
			// An error is one of the end of ctx, which ends the tool as well.
			if applier.DB.QueryRowContext(ctx, followed).Scan(&follows) == nil && follows > 0 {
				begin, made = g.record.Len(), time.Now()
			}
		case copying < 0 && g.refusedAs == "":
			if g.copied(ctx, applier) {
				copying = g.record.Len()
			} else if time.Since(made) > copyLimit {
				abandon(fmt.Errorf("%s after it had made the new table the tool had copied nothing", copyLimit))
			}
		case g.record.Len()-copying >= g.enough() && g.refusedAs == "":
			if g.quiet && !released {
				if err := play.Stop(); err != nil {
					return 0, errors.Join(err, <-ended)
				}
			}
			play.Slow()
			released = true
			if err := job.Release(); err != nil {
				return 0, errors.Join(err, <-ended)
			}
		}
	}
}

// complaint is the line in which gh-ost says why it gave up: the statement that follows it may be longer than
// what an error repeats of the output.
func complaint(result *migration.Result) string {
	if result == nil {
		return ""
	}
	lines := strings.Split(result.Output, "\n")
	for _, line := range slices.Backward(lines) {
		if strings.Contains(line, " FATAL ") {
			return line + "\n"
		}
	}
	return ""
}

// followed finds what a tool makes last before it follows writes: gh-ost its ghost table, which it makes
// when it reads the binary log already, pt-online-schema-change its third trigger.
const followed = "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '" + database + "' AND table_name = '_t_gho')" +
	" + (SELECT COUNT(*) DIV 3 FROM information_schema.triggers WHERE trigger_schema = '" + database + "')"

// copied says that the new table has a row, or is a new table no more.
func (g *performance) copied(ctx context.Context, applier *server.Server) bool {
	var n int
	for _, name := range []string{"_t_gho", "_t_new"} {
		err := applier.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+workload.Table{Database: database, Name: name}.String()).Scan(&n)
		if err == nil {
			return n > 0
		}
	}
	return true
}

// refusal is the oracle of a change that the tool must refuse; judge sees that nothing has changed.
func (g *performance) refusal(err error) {
	GinkgoHelper()
	Expect(err).To(HaveOccurred(), "the tool was to refuse")
	Expect(g.result.ExitCode).To(BeNumerically(">", 0), "%v", err)
	Expect(g.result.Output).To(MatchRegexp(g.refusedAs))
}
