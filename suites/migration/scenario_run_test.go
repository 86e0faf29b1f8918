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

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

const (
	modelDatabase = "model"
	scriptRate    = 250 // transactions a second, unless a scenario says otherwise
	scriptPoll    = 20 * time.Millisecond
	// copyLimit is how long a tool may take from its new table to the first row in it: one that hangs there
	// would hang in every scenario.
	copyLimit = 30 * time.Second
)

var (
	subject = workload.Table{Database: database, Name: "t"}
	// ideal is the model: what the table must become. It is in the primary alone.
	ideal = workload.Table{Database: modelDatabase, Name: "t"}
)

// There is one spec for each scenario and way of the tool.
var _ = forTool("", func(driver migration.Tool) {
	tool := driver.Describe()
	for _, s := range scenarios() {
		for _, w := range s.waysOf(tool) {
			labels := labelsOf(!s.inPR || w.mode != tool.PrimaryModes[0] || w.flags != nil)
			It(fmt.Sprintf("%s: %s", w.name, s.title(tool)), labels, func(ctx SpecContext) {
				r := prepareScenario(ctx, driver, s, w)
				r.perform(ctx)
				r.judge(ctx)
				if r.unable(r.result) {
					suitekit.Unsupported(r.result.Output)
				}
			})
		}
	}
})

// scenarioRun is a scenario on its fixture: a primary with the table and the model, and a replica.
type scenarioRun struct {
	*fixture
	scenario
	way      way
	alter    string
	before   string // structure before the change
	record   workload.Record
	result   *migration.Result
	toolCase migration.ToolCase
	refused  bool // the tool is to refuse the change, or has refused the settings
}

// prepareScenario makes the servers, the table and the model.
func prepareScenario(ctx SpecContext, driver migration.Tool, s scenario, w way) *scenarioRun {
	GinkgoHelper()
	suitekit.Require(sandbox.ProfileFast, s.needs...)
	suitekit.RequireReleases(s.settings)
	want := setup{Options: topology.Options{Server: append(slices.Clone(s.options), "sql_mode="+s.sqlModes())}}
	for _, one := range s.settings {
		want.Server = append(want.Server, one.Server...)
		want.GTID = want.GTID || one.GTID
		want.SemiSync = want.SemiSync || one.SemiSync
	}
	if s.lowerCase() {
		want.profile = sandbox.ProfileLowerCase
	}
	if s.replicaOptions != nil {
		want.PerNode = map[int][]string{1: s.replicaOptions}
	}
	r := &scenarioRun{fixture: deploy(ctx, driver, w.mode, want), scenario: s, way: w, toolCase: s.caseOf(driver.Describe())}
	r.refused = r.toolCase.Refusal != ""
	if s.zone != "" {
		loadZone(ctx, s.zone, r.primary, r.replica)
	}
	suitekit.RequireSettings(ctx, r.primary, r.primary.Endpoint, s.settings)
	suitekit.NoFault(r.primary.Exec(ctx, "CREATE DATABASE "+database))
	suitekit.NoFault(r.primary.Unlogged(ctx, "CREATE DATABASE "+modelDatabase))
	variant := s.make(ctx, r.onModel())
	r.alter = s.change(variant)
	logged := r.onSubject()
	logged.Setup = s.logged().session()
	suitekit.NoFault(logged.Exec(ctx, s.create[variant]...))
	for _, session := range []workload.Session{logged, r.onModel()} {
		suitekit.NoFault(session.Exec(ctx, s.fill()...))
	}
	suitekit.NoFault(r.primary.Exec(ctx, "ANALYZE TABLE "+subject.String()))
	suitekit.NoFault(r.WaitCaughtUp(ctx))
	var err error
	r.before, err = definition(ctx, r.primary, subject)
	suitekit.NoFault(err)
	return r
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

// session are the statements of a session that writes as the scenario's clients do.
func (s scenario) session() []string {
	list := []string{"SET SESSION sql_mode = " + server.Quote(s.sqlModes())}
	if s.timeZone != "" {
		list = append(list, "SET SESSION time_zone = "+server.Quote(s.timeZone))
	}
	for _, one := range s.settings {
		list = append(list, one.Session...)
	}
	return list
}

func (r *scenarioRun) onSubject() workload.Session {
	return workload.Session{Endpoint: r.primary.Endpoint, Database: database, Setup: r.session()}
}

// onModel is the same session, but what it does stays on the primary.
func (r *scenarioRun) onModel() workload.Session {
	return workload.Session{Endpoint: r.primary.Endpoint, Database: modelDatabase,
		Setup: append([]string{"SET SESSION sql_log_bin = 0"}, r.session()...)}
}

// perform runs the tool while the scripts write.
func (r *scenarioRun) perform(ctx SpecContext) {
	GinkgoHelper()
	during, play, err := r.attempt(ctx, r.driver)
	switch {
	case r.impossible:
		r.isImpossible(ctx, err)
		return
	case r.refused:
		r.isRefusal(err)
		return
	case err != nil && (r.refusesSettings() || r.unable(r.result)):
		r.refused = true
		return
	case err != nil:
		Fail(reason(r.result) + err.Error())
	}
	measure(r.result, play.LongestStall())
	suitekit.Detail("writes during the migration", "", float64(during))
	suitekit.Detail("writes refused", "", float64(play.Refused()))
	Expect(during).To(BeNumerically(">=", r.enough()), "the tool ended before the writes that were to come while it works")
	if len(r.settings) == 0 { // under a setting, rows say more
		r.tookEvents(r.result)
	}
}

// attempt runs a driver while the scripts write. It says how many transactions there were while it worked, and how the
// tool ended.
func (r *scenarioRun) attempt(ctx SpecContext, driver migration.Tool) (during int, play *workload.Play, err error) {
	GinkgoHelper()
	limit := r.limit
	if limit == 0 {
		limit = toolLimit
	}
	if r.tool.Immediate {
		return r.attemptAtOnce(ctx, driver, limit)
	}
	job := r.newJob(slices.Concat(r.tool.Copy.Slow, r.toolCase.Flags, r.way.flags)...)
	job.Table, job.Alter, job.ChunkSize = r.called(), r.alter+r.tool.Copy.Rebuild, 10
	if !r.refused {
		suitekit.NoFault(job.Hold())
	}
	rate := r.rate
	if rate == 0 {
		rate = scriptRate
	}
	play = r.startPlay(ctx, rate)
	run := r.start(ctx, driver, &job, limit)
	during, err = r.direct(ctx, run, play)
	r.result = run.result
	if loadErr := play.Stop(); loadErr != nil {
		Fail("the writers met an error that no online change may cause: " + loadErr.Error())
	}
	return during, play, err
}

// called is the table as the tool is told of it: in capitals where the servers keep names in lower case.
func (r *scenarioRun) called() string {
	if r.lowerCase() {
		return strings.ToUpper(subject.Name)
	}
	return subject.Name
}

// startPlay starts the writers. While they open their sessions the server has the settings that these are to keep.
func (r *scenarioRun) startPlay(ctx context.Context, rate float64) *workload.Play {
	GinkgoHelper()
	var restore []string
	for _, one := range r.settings {
		if one.Earlier {
			was, err := r.primary.Variable(ctx, one.Variable)
			suitekit.NoFault(err)
			if was == "0" || was == "1" { // what is on or off takes no other text
				was = map[string]string{"0": "OFF", "1": "ON"}[was]
			}
			restore = append(restore, "SET GLOBAL "+one.Variable+" = "+server.Quote(was))
			suitekit.NoFault(r.primary.Exec(ctx, "SET GLOBAL "+one.Variable+" = "+server.Quote(one.Value)))
		}
	}
	play := workload.StartPlay(ctx, r.onSubject(), &r.record, rate, r.play(suitekit.Cell().Seed)...)
	play.Opened()
	suitekit.NoFault(r.primary.Exec(ctx, restore...))
	return play
}

// attemptAtOnce runs a tool that cannot be held: the scripts have written enough before, write while it works as far as
// they can, and write enough after.
func (r *scenarioRun) attemptAtOnce(ctx SpecContext, driver migration.Tool, limit time.Duration) (during int, play *workload.Play, err error) {
	GinkgoHelper()
	play = r.startPlay(ctx, scriptRate)
	written := func(n int) {
		err := wait.State{What: "enough is written", Limit: toolLimit, Poll: scriptPoll}.Until(ctx, func(context.Context) (string, bool, error) {
			return fmt.Sprintf("%d transactions", r.record.Len()), r.record.Len() >= n, wait.Stop(play.Err())
		})
		if err != nil {
			Fail(err.Error())
		}
	}
	written(r.enough())
	if r.quiet {
		suitekit.NoFault(play.Stop())
	}
	job := r.newJob(r.way.flags...)
	job.Table, job.Alter = r.called(), r.alter
	before := r.record.Len()
	run := r.start(ctx, driver, &job, limit)
	<-run.done
	r.result = run.result
	suitekit.Detail("writes while the statement worked", "", float64(r.record.Len()-before))
	if !r.quiet {
		written(before + r.enough())
	}
	if loadErr := play.Stop(); loadErr != nil {
		Fail("the writers met an error that no online change may cause: " + loadErr.Error())
	}
	return r.enough(), play, run.err
}

// direct lets the tool exchange the tables once the scripts have written enough while it copies. It says how many
// transactions there were since the tool had made the new table, and how the tool ended. What is written before the first
// row is copied may reach the new table by the copy alone, and does not count as enough. A script that met an error ends
// the tool as well.
func (r *scenarioRun) direct(ctx context.Context, run *toolRun, play *workload.Play) (during int, err error) {
	// reaches says whether the tool came to a state before it ended; one that did not is stopped.
	reaches := func(what string, limit time.Duration, look func(context.Context) bool) bool {
		state := wait.State{What: what, Limit: limit, Poll: scriptPoll, Ended: run.done}
		err := state.Until(ctx, func(ctx context.Context) (string, bool, error) {
			if err := play.Err(); err != nil {
				return "", false, wait.Stop(err) // what was to be written is not
			}
			return "", look(ctx), nil
		})
		if err != nil && !errors.Is(err, wait.ErrEnded) {
			run.stop(err)
		}
		return err == nil
	}
	if !reaches("the tool sees all writes", 0, r.followed) {
		<-run.done
		return 0, run.err
	}
	begin := r.record.Len()
	defer func() { during = r.record.Len() - begin }()
	if !r.refused && reaches(fmt.Sprintf("the tool copies rows within %s of making the new table", copyLimit), copyLimit, run.hasCopied) {
		copying := r.record.Len()
		if reaches("enough is written", 0, func(context.Context) bool { return r.record.Len()-copying >= r.enough() }) {
			err = r.release(ctx, run, play)
		}
	}
	<-run.done
	return 0, errors.Join(err, run.err)
}

// release lets the tool exchange the tables, and waits for its end.
func (r *scenarioRun) release(ctx context.Context, run *toolRun, play *workload.Play) error {
	if r.quiet {
		if err := play.Stop(); err != nil {
			return err
		}
	}
	play.Slow()
	// A tool may make the file anew that it is held by.
	err := wait.State{What: "the tool ends", Poll: scriptPoll, Ended: run.done}.Until(ctx, func(context.Context) (string, bool, error) {
		if err := play.Err(); err != nil {
			run.stop(err)
		}
		return "", false, wait.Stop(run.job.Release())
	})
	if errors.Is(err, wait.ErrEnded) || ctx.Err() != nil {
		return nil
	}
	return err
}

// followed says that the tool sees every write that comes.
func (r *scenarioRun) followed(ctx context.Context) bool {
	var follows int
	return r.applier().DB.QueryRowContext(ctx, r.tool.Objects.Follows(database, subject.Name)).Scan(&follows) == nil && follows > 0
}

// hasCopied says that the new table has a row, or is a new table no more.
func (r *toolRun) hasCopied(ctx context.Context) bool {
	n, err := r.copied(ctx)
	return err != nil || n > 0
}

// isImpossible is the oracle of a change that the server itself refuses: the tool must, too, and nothing has changed.
func (r *scenarioRun) isImpossible(ctx SpecContext, err error) {
	GinkgoHelper()
	suitekit.NoFault(r.record.Replay(ctx, r.onModel()))
	refusal := r.alterModel(ctx, ideal.Database)
	Expect(refusal).To(HaveOccurred(), "the server takes the change")
	if err == nil {
		Fail(fmt.Sprintf("the tool made a change of which the server says: %v", refusal))
	}
	r.refused = true
	r.record = workload.Record{} // it was repeated
}

// isRefusal is the oracle of a change that the tool must refuse; judge sees that nothing has changed.
func (r *scenarioRun) isRefusal(err error) {
	GinkgoHelper()
	Expect(err).To(HaveOccurred(), "expected the tool to refuse the change")
	Expect(r.result.ExitCode).To(BeNumerically(">", 0), "%v", err)
	Expect(r.result.Output).To(MatchRegexp(r.toolCase.Refusal))
}
