package migration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

// chunk is how many rows are copied at a time where the copy is to be interrupted in many places.
const chunk = 50

// reaches waits for a state while the tool works, for the longer the more rows it copies. It is a failure when the
// tool ends before.
func (r *toolRun) reaches(ctx context.Context, what string, look wait.Look) {
	GinkgoHelper()
	state := within(what)
	state.Ended = r.done
	for advanced := r.progress(); ; {
		err := state.Until(ctx, look)
		switch {
		case err == nil:
			return
		case errors.Is(err, wait.ErrEnded):
			Fail(fmt.Sprintf("the tool ended before this state: %s: %v", what, r.err))
		case ctx.Err() != nil || !advanced():
			Fail(fmt.Sprintf("%v; the tool's output ends with:\n%s", err, proc.Tail(r.output(), 30)))
		}
	}
}

// prints waits until the tool has printed something.
func (r *toolRun) prints(ctx context.Context, pattern string) {
	GinkgoHelper()
	re := regexp.MustCompile(pattern)
	r.reaches(ctx, "its output matches "+pattern, func(context.Context) (string, bool, error) {
		return "", re.MatchString(r.output()), nil
	})
}

// copied counts the rows of the table that the tool builds.
func (r *toolRun) copied(ctx context.Context) (n int, err error) {
	built := workload.Table{Database: database, Name: r.tool.Objects.NewTable(r.job.Table)}
	err = r.applier().DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+built.String()).Scan(&n)
	return n, err
}

// copiedSoFar is copied for a tool that has made its table: when that is gone, it has taken the table's name.
func (r *toolRun) copiedSoFar(ctx context.Context) (int, error) {
	n, err := r.copied(ctx)
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) && refusal.Number == missingTable {
		return smallTable, nil
	}
	return n, err
}

// copies waits until some chunks are copied and others are not. A tool that takes commands is stopped there
// until fullSpeed: at a row that is locked, and then by a command.
func (r *toolRun) copies(ctx context.Context) {
	GinkgoHelper()
	r.reaches(ctx, "rows are copied", func(ctx context.Context) (string, bool, error) {
		n, err := r.copied(ctx)
		return fmt.Sprintf("%d rows", n), n >= 2*chunk, err
	})
	switch {
	case !r.slow || r.tool.Copy.LockFirst:
	case r.tool.Commands == nil:
		// Not before: a tool's triggers need the table for themselves.
		r.unlock = r.lockRow(ctx, smallTable)
	default:
		suitekit.NoFault(r.command(ctx, r.tool.Commands.Pause))
		r.prints(ctx, r.tool.Commands.Paused) // it looks once a second
		r.unlock()
	}
}

// stillCopies is a failure when all rows were copied: what came after was no interruption of the copy.
func (r *toolRun) stillCopies(ctx context.Context) {
	GinkgoHelper()
	n, err := r.copiedSoFar(ctx)
	suitekit.NoFault(err)
	if n >= smallTable {
		Fail(fmt.Sprintf("the copy was over, with %d rows, before it was interrupted", n))
	}
}

// continues lets a paused copy go on.
func (r *toolRun) continues(ctx context.Context) {
	if r.tool.Commands == nil {
		r.unlock()
		return
	}
	suitekit.NoFault(r.command(ctx, r.tool.Commands.Continue))
}

// continuesIfItCan is continues for a tool that may have been killed, or may hang: what became of it is seen by its end.
func (r *toolRun) continuesIfItCan(ctx context.Context) {
	if r.tool.Commands == nil {
		r.unlock()
		return
	}
	if err := r.command(ctx, r.tool.Commands.Continue); err != nil {
		GinkgoWriter.Println("the tool was told to continue:", err)
	}
}

// fullSpeed ends what flags have slowed, in a tool that takes commands.
func (r *toolRun) fullSpeed(ctx context.Context) {
	if r.tool.Commands != nil {
		suitekit.NoFault(r.command(ctx, r.tool.Commands.FullSpeed))
	}
}

// command sends a line to the tool's socket. The folder is opened first: a socket's path has to be short.
func (r *toolRun) command(ctx context.Context, line string) (err error) {
	dir, err := os.Open(r.job.Workdir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	socket := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), r.tool.Commands.Socket)
	conn, err := (&net.Dialer{Timeout: startLimit}).DialContext(ctx, "unix", socket)
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
	_, err = io.ReadAll(conn) // the tool answers and closes
	return err
}

// isBlocked waits until a statement of the tool waits for a metadata lock.
func (r *toolRun) isBlocked(ctx context.Context, like string) {
	GinkgoHelper()
	r.reaches(ctx, "the tool waits for the lock of "+like, func(ctx context.Context) (string, bool, error) {
		rows, err := r.applier().Rows(ctx, "SELECT state, info FROM information_schema.processlist WHERE user = "+server.Quote(toolUser))
		if err != nil {
			return "", false, err
		}
		waiting, err := r.applier().Rows(ctx, "SELECT id FROM information_schema.processlist WHERE user = "+server.Quote(toolUser)+
			" AND LOWER(info) LIKE LOWER("+server.Quote(like)+") AND state LIKE 'Waiting for table%'")
		return fmt.Sprint(rows), len(waiting) > 0, err
	})
}

// triesLock waits until the tool has tried so often to lock the table. Only the tool does that here.
func (r *toolRun) triesLock(ctx context.Context, times int) {
	GinkgoHelper()
	before, err := r.lockStatements(ctx)
	suitekit.NoFault(err)
	r.reaches(ctx, "the tool tries the cut-over again", func(ctx context.Context) (string, bool, error) {
		n, err := r.lockStatements(ctx)
		return fmt.Sprintf("%d tries", n-before), n-before >= times, err
	})
}

// lockStatements counts the statements of the kind by which the tool locks the table, since the server started.
func (f *fixture) lockStatements(ctx context.Context) (int, error) {
	text, err := f.applier().StatusVariable(ctx, f.tool.CutOver.Counter)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// signal sends a signal to the tool.
func (r *toolRun) signal(ctx context.Context, send func(*proc.Process) error) {
	select {
	case p := <-r.process:
		r.process <- p
		suitekit.NoFault(send(p))
	case <-ctx.Done():
		Fail("the tool did not start")
	}
}
