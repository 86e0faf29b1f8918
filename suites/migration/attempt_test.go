package migration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

// attemptLimit is how long a tool that nothing holds up any more may take without copying a row. One that hangs is
// stopped, and that is a failure; one that is slow on a busy machine does not hang.
const attemptLimit = 45 * time.Second

// chunk is how many rows are copied at a time where the copy is to have many places to be disturbed at.
const chunk = 50

// handling is what a spec must know of a tool to hold it at a place, and to judge what it leaves there.
type handling struct {
	ghost string // the table that it builds
	// slow are flags by which the copy has many chunks. pause and hurry are commands for gh-ost's socket that
	// stop the copy and let it go on; pt-online-schema-change takes none: it is slow, and waits for a locked row.
	slow         []string
	pause, hurry string
	// lock is the statement, as a pattern for LIKE, by which the tool gets the table for itself at the
	// cut-over, and tries the status variable that counts it.
	lock, tries string
	// impatient are flags by which it waits a second for a lock and tries that twice; patient, by which it
	// tries on for longer than any of these specs is in its way; stubborn, by which one try takes so long.
	impatient, patient, stubborn []string
	// leaves is what it may leave where it is killed or gives up: its documentation has the user remove it.
	leaves  []string
	copying *regexp.Regexp // how it says how much it has copied
	denies  string         // what it says when it has not changed the table; "" when it says nothing of the kind
	sweeps  bool           // whether it removes that by itself when it is run again
}

var handlings = map[string]handling{
	migration.NameGhost: {
		ghost: "_orders_gho",
		slow:  []string{"--chunk-size=100"}, pause: "throttle", hurry: "no-throttle",
		lock: "lock /* gh-ost */ tables%", tries: "Com_lock_tables",
		impatient: []string{"--cut-over-lock-timeout-seconds=1", "--default-retries=2"},
		patient:   []string{"--cut-over-lock-timeout-seconds=1", "--default-retries=60"},
		stubborn:  []string{"--cut-over-lock-timeout-seconds=10"},
		// doc/command-line-flags.md, initially-drop-old-table: a failed run may leave them. _del is the placeholder of
		// the cut-over. The flags that the driver gives have the next run drop them.
		leaves:  []string{"table _orders_gho", "table _orders_ghc", "table _orders_del"},
		copying: regexp.MustCompile(`Copy: \d+/`),
		sweeps:  true,
	},
	migration.NamePTOSC: {
		ghost: "_orders_new",
		slow:  []string{"--chunk-size=100", "--sleep=0.2"},
		lock:  "RENAME TABLE%", tries: "Com_rename_table",
		impatient: []string{"--set-vars=lock_wait_timeout=1", "--tries=swap_tables:2:0.5,drop_triggers:2:0.5,copy_rows:60:0.25"},
		patient:   []string{"--set-vars=lock_wait_timeout=1", "--tries=swap_tables:60:0.5,drop_triggers:60:0.5,copy_rows:60:0.25"},
		stubborn:  []string{"--set-vars=lock_wait_timeout=20", "--tries=copy_rows:60:0.25"},
		// Its manual: a tool that is killed leaves its triggers and new table, which are to be dropped by hand,
		// the triggers first.
		leaves: []string{
			"trigger pt_osc_shop_orders_ins", "trigger pt_osc_shop_orders_upd", "trigger pt_osc_shop_orders_del",
			"table _orders_new", "table _orders_old",
		},
		copying: regexp.MustCompile(`Copying .*: +\d+%`),
		denies:  "was not altered",
	},
}

// attempt is the tool at work, while the spec goes on beside it.
type attempt struct {
	stage   *stage
	workdir string
	process chan *proc.Process
	done    chan struct{}
	stop    context.CancelFunc
	slow    bool   // the copy is to be disturbed
	barrier func() // takes away the row lock that the copy waits for
	result  *migration.Result
	err     error
}

// slowly starts the tool such that its copy can be disturbed; see copies.
func (s *stage) slowly(ctx SpecContext, extra ...string) *attempt {
	var barrier func()
	if s.handle.pause != "" {
		barrier = s.lockRow(ctx, stageRows/2)
	}
	a := s.begin(ctx, append(slices.Clone(s.handle.slow), extra...)...)
	a.barrier, a.slow = barrier, true
	return a
}

// lockRow has the copy wait at a row.
func (s *stage) lockRow(ctx context.Context, key int) (release func()) {
	return s.hold(ctx, []string{"BEGIN", fmt.Sprintf("SELECT id FROM %s WHERE id = %d FOR UPDATE", table, key)}, "ROLLBACK")
}

// begin starts the tool. It ends with the spec at the latest.
func (s *stage) begin(ctx SpecContext, extra ...string) *attempt {
	s.runs++
	a := &attempt{
		stage: s, workdir: suitekit.WorkDir("tool" + strconv.Itoa(s.runs)),
		process: make(chan *proc.Process, 1), done: make(chan struct{}),
	}
	running, cancel := context.WithCancel(ctx)
	a.stop = cancel
	job := migration.Job{
		Mode: s.mode, Database: table.Database, Table: table.Name, Alter: change,
		Primary: s.source, Replica: s.account(s.replica.Endpoint),
		Workdir: a.workdir, Scope: suitekit.Cell().Dir, ChunkSize: 1000, Extra: append(slices.Clone(s.always), extra...),
		OnStart: func(p *proc.Process) { a.process <- p },
	}
	suitekit.AttachAs(a.log(), filepath.Base(a.workdir)+"."+filepath.Base(a.log()))
	go func() {
		defer close(a.done)
		a.result, a.err = s.tool.Migrate(running, job)
	}()
	DeferCleanup(func() {
		cancel()
		<-a.done
	})
	return a
}

func (a *attempt) log() string { return filepath.Join(a.workdir, a.stage.tool.Name()+".log") }

// output is what the tool has printed so far.
func (a *attempt) output() string {
	text, err := os.ReadFile(a.log())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(text)
}

// await waits for a state while the tool works, for the longer the more rows it copies. It is a failure when the
// tool ends before.
func (a *attempt) await(ctx context.Context, what string, look func(context.Context) (seen string, ok bool)) {
	GinkgoHelper()
	var ended bool
	var err error
	for getsOn := a.gettingOn(); ; {
		err = await(ctx, what, func(ctx context.Context) (string, bool) {
			select {
			case <-a.done:
				ended = true
				return "", true
			default:
				return look(ctx)
			}
		})
		if err == nil || !getsOn() {
			break
		}
	}
	switch {
	case ended:
		Fail(fmt.Sprintf("%s: the tool ended before: %v", what, a.err))
	case err != nil:
		Fail(fmt.Sprintf("%v; the tool's last words:\n%s", err, proc.Tail(a.output(), 30)))
	}
}

// says waits until the tool has printed something.
func (a *attempt) says(ctx context.Context, pattern string) {
	GinkgoHelper()
	re := regexp.MustCompile(pattern)
	a.await(ctx, "the tool says "+pattern, func(context.Context) (string, bool) {
		return "its log", re.MatchString(a.output())
	})
}

// copied counts the rows of the table that the tool builds.
func (a *attempt) copied(ctx context.Context) (n int, err error) {
	ghost := workload.Table{Database: database, Name: a.stage.handle.ghost}
	err = a.stage.applier().DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+ghost.String()).Scan(&n)
	return n, err
}

// progress is copied for a tool that has made its table: when that is gone, it has taken the table's name.
func (a *attempt) progress(ctx context.Context) (int, error) {
	n, err := a.copied(ctx)
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) && refusal.Number == missingTable {
		return stageRows, nil
	}
	return n, err
}

// gettingOn gives a question: whether the tool says another number of copied rows than when it was last asked. What is
// in its table says nothing of it: triggers write there, too.
func (a *attempt) gettingOn() func() bool {
	says := func() string {
		all := a.stage.handle.copying.FindAllString(a.output(), -1)
		if len(all) == 0 {
			return ""
		}
		return all[len(all)-1]
	}
	before := says()
	return func() bool {
		now := says()
		more := now != before
		before = now
		return more
	}
}

// copies waits until some chunks are copied and others are not. A tool that takes commands is stopped there
// until hurry: at a row that is locked, and then by a command.
func (a *attempt) copies(ctx context.Context) {
	GinkgoHelper()
	a.await(ctx, "rows are copied", func(ctx context.Context) (string, bool) {
		n, err := a.copied(ctx)
		return fmt.Sprintf("%d rows, %v", n, err), err == nil && n >= 2*chunk
	})
	switch {
	case !a.slow:
	case a.stage.handle.pause == "":
		// Not before: its triggers need the table for themselves.
		a.barrier = a.stage.lockRow(ctx, stageRows)
	default:
		suitekit.NoFault(a.command(ctx, a.stage.handle.pause))
		a.says(ctx, "State: throttled, commanded by user") // it looks once a second
		a.barrier()
	}
}

// midway is a failure when all rows were copied: what came after was no disturbance of the copy.
func (a *attempt) midway(ctx context.Context) {
	GinkgoHelper()
	n, err := a.progress(ctx)
	suitekit.NoFault(err)
	if n >= stageRows {
		Fail(fmt.Sprintf("the copy was over, with %d rows, before it was disturbed", n))
	}
}

// hurry lets a slowed copy go on at full speed.
func (a *attempt) hurry(ctx context.Context) {
	if a.stage.handle.hurry != "" {
		suitekit.NoFault(a.command(ctx, a.stage.handle.hurry))
		return
	}
	a.barrier()
}

// goOn lets a paused copy go on. A tool that was killed takes no commands, and one that hangs may not answer:
// what became of it is seen by its end.
func (a *attempt) goOn(ctx context.Context) {
	if a.stage.handle.hurry == "" {
		a.barrier()
		return
	}
	if err := a.command(ctx, a.stage.handle.hurry); err != nil {
		GinkgoWriter.Println("the tool was told to go on:", err)
	}
}

// command sends a line to gh-ost's socket. The folder is opened first: a socket's path has to be short.
func (a *attempt) command(ctx context.Context, line string) (err error) {
	dir, err := os.Open(a.workdir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	conn, err := (&net.Dialer{Timeout: startLimit}).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/gh-ost.sock", dir.Fd()))
	if err != nil {
		return fmt.Errorf("command %q: %w", line, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return err
	}
	_, err = io.ReadAll(conn) // gh-ost answers and closes
	return err
}

// blocked waits until a statement of the tool waits for a metadata lock.
func (a *attempt) blocked(ctx context.Context, like string) {
	GinkgoHelper()
	a.await(ctx, "the tool waits for the lock of "+like, func(ctx context.Context) (string, bool) {
		rows, err := a.stage.applier().Rows(ctx, "SELECT state, info FROM information_schema.processlist WHERE user = "+server.Quote(toolUser))
		if err != nil {
			return err.Error(), false
		}
		waiting, err := a.stage.applier().Rows(ctx, "SELECT id FROM information_schema.processlist WHERE user = "+server.Quote(toolUser)+
			" AND LOWER(info) LIKE LOWER("+server.Quote(like)+") AND state LIKE 'Waiting for table%'")
		return fmt.Sprint(rows), err == nil && len(waiting) > 0
	})
}

// signal sends a signal to the tool.
func (a *attempt) signal(ctx context.Context, send func(*proc.Process) error) {
	select {
	case p := <-a.process:
		a.process <- p
		suitekit.NoFault(send(p))
	case <-ctx.Done():
		Fail("the tool did not start")
	}
}

// end waits for the tool's end. A tool that does not come to one hangs.
func (a *attempt) end(ctx context.Context) (*migration.Result, error) {
	GinkgoHelper()
	getsOn := a.gettingOn()
	timer := time.NewTimer(attemptLimit)
	defer timer.Stop()
	for {
		select {
		case <-a.done:
			return a.result, a.err
		case <-timer.C:
			if getsOn() {
				timer.Reset(attemptLimit)
				continue
			}
			replication := a.stage.replication(ctx) // a tool may wait for a replica
			a.stop()
			<-a.done
			Fail(fmt.Sprintf("the tool hangs: it did not end within %s: %s%v", attemptLimit, replication, a.err))
		case <-ctx.Done():
			Fail(fmt.Sprintf("the spec's time is over while the tool works; its last words:\n%s", proc.Tail(a.output(), 30)))
		}
	}
}

// succeed waits for the tool's end, which must be success.
func (a *attempt) succeed(ctx context.Context) *migration.Result {
	GinkgoHelper()
	result, err := a.end(ctx)
	if err != nil {
		Fail(err.Error())
	}
	return result
}

// fails waits for the tool's end, which must be an error that it says.
func (a *attempt) fails(ctx context.Context, pattern string) {
	GinkgoHelper()
	result, err := a.end(ctx)
	if err == nil {
		Fail("the tool succeeded, and was to give up; its last words:\n" + proc.Tail(result.Output, 20))
	}
	if !regexp.MustCompile(pattern).MatchString(result.Output) {
		Fail(fmt.Sprintf("the tool was to say %s: %v", pattern, err))
	}
	Expect(result.ExitCode).NotTo(BeZero())
}

// hold opens a transaction or lock in the tool's way; the function it returns lets go.
func (s *stage) hold(ctx context.Context, begin []string, end string) (release func()) {
	GinkgoHelper()
	conn, err := s.primary.DB.Conn(ctx)
	suitekit.NoFault(err)
	for _, statement := range begin {
		_, err := conn.ExecContext(ctx, statement)
		suitekit.NoFault(err)
	}
	var released bool
	release = func() {
		if released {
			return
		}
		released = true
		_, err := conn.ExecContext(context.WithoutCancel(ctx), end)
		if err != nil && end == "ROLLBACK" {
			_ = conn.Close() // a connection that is dead has let go already
			return
		}
		suitekit.NoFault(errors.Join(err, conn.Close()))
	}
	DeferCleanup(release)
	return release
}
