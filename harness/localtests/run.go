package localtests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/topology"
)

// Script runs folders of gh-ost's own tests by upstream's own script, one after the other as the script
// does, on one primary and its replica. The servers' options must include those of ServerOptions.
type Script struct {
	Tests   *Tests
	Folders []Folder // those to run
	Program *tool.Program
	// Sysbench is the load generator for the folder of that name; nil when it is not among the folders.
	Sysbench         *tool.Program
	Primary, Replica *topology.Node
	// Bare runs gh-ost alone, and notes no coordinates: for measuring the script as it is.
	Bare    bool
	Workdir string // an absolute, short path: gh-ost's socket lies in it
}

// Result is what the script made of the folders, and what it can be told by whether they proved
// anything.
type Result struct {
	Outcomes  []Outcome // of the folders that it came to; it stops at the first failure
	Output    string    // what the script printed
	Log       string    // of the last gh-ost
	ScriptLog string    // path of Output
	GhostLog  string    // path of Log
	Duration  time.Duration
	// Stopped is why the script did not end by itself, nil when it did.
	Stopped error
	// From and To are the primary's binary log coordinates when the first gh-ost started and when the last one
	// ended; zero when none was started.
	From, To server.Coordinates
	Applied  int64 // DML events that gh-ost said it applied
}

// hangLimit bounds one folder for scripts that do not bound it themselves (before v1.1.10: a gh-ost that
// hangs holds them for ever). They take some ten seconds otherwise.
const hangLimit = 90 * time.Second

// sysbenchLimit is what sysbench may take beside gh-ost: it makes its table, and writes for 30 seconds.
const sysbenchLimit = 90 * time.Second

// spareLimit is what a folder may take beside the time that the script gives gh-ost.
const spareLimit = 60 * time.Second

// Run runs the script. What it makes of a folder is in the result; an error is a failure to run it.
func (u *Script) Run(ctx context.Context) (_ *Result, err error) {
	if err := u.scratch(ctx); err != nil {
		return nil, fmt.Errorf("prepare gh-ost's own tests: %w", err)
	}
	limit, err := u.limit()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("upstream's script did not end within %s", limit))
	defer cancel()
	r := &Result{ScriptLog: filepath.Join(u.Workdir, scriptLogFile), GhostLog: filepath.Join(u.Workdir, ghostLogFile)}
	output, err := os.Create(r.ScriptLog)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	_, runErr := proc.Run(limited, proc.Cmd{
		Path: "bash", Args: []string{"./" + localtestsDir + "/" + localtestsScript, "-b", filepath.Join(u.bin(), ghostWrapper)},
		Dir: u.Workdir, Scope: u.Workdir, Stdin: strings.NewReader(""), Stdout: output, Stderr: output,
		Env: append([]string{
			"PATH=" + u.bin() + ":" + os.Getenv("PATH"), "TMPDIR=" + u.Workdir,
			// The user's own client settings are kept out; so does dbdeployer.
			"HOME=" + u.Workdir, "MYSQL_TEST_LOGIN_FILE=" + filepath.Join(u.Workdir, "none"),
		}, u.Program.Env...),
	})
	r.Duration = time.Since(begin)
	if limited.Err() != nil {
		r.Stopped = context.Cause(limited)
	}
	// timeout(1) makes a process group of its own, and the script stops only itself: what is left is found by scope.
	_, sweepErr := proc.Sweep(context.WithoutCancel(ctx), u.Workdir, spareLimit)
	if err := errors.Join(output.Close(), sweepErr, ctx.Err()); err != nil {
		return r, err
	}
	if err := r.read(u.Workdir); err != nil {
		return r, err
	}
	return r, r.plausible(runErr)
}

// limit is how long the script may take for all of its folders.
func (u *Script) limit() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(u.Tests.Dir, localtestsScript))
	if err != nil {
		return 0, fmt.Errorf("gh-ost's own tests: %w", err)
	}
	each := hangLimit
	if m := scriptTimeout.FindSubmatch(text); m != nil {
		seconds, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return 0, fmt.Errorf("gh-ost's own tests: their time limit: %w", err)
		}
		each = time.Duration(seconds)*time.Second + spareLimit
	}
	limit := each * time.Duration(max(1, len(u.Folders)))
	if slices.ContainsFunc(u.Folders, func(f Folder) bool { return f.Sysbench }) {
		limit += sysbenchLimit
	}
	return limit, nil
}

// read gathers what the script and gh-ost left.
func (r *Result) read(dir string) error {
	texts := map[string]*string{scriptLogFile: &r.Output, ghostLogFile: &r.Log}
	for name, into := range texts {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		*into = string(text)
	}
	for name, into := range map[string]*server.Coordinates{coordinatesBefore: &r.From, coordinatesAfter: &r.To} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if *into, err = parseCoordinates(string(text)); err != nil {
			return err
		}
	}
	r.Outcomes, r.Applied = parseOutcomes(r.Output), countApplied(r.Log)
	return nil
}

// plausible is an error when the script ended without a word on a folder: then it did not judge. Its exit
// code says less: after a pass it is that of a last START SLAVE, which MySQL 8.4 and later refuse.
func (r *Result) plausible(runErr error) error {
	var exit *exec.ExitError
	switch {
	case r.Stopped != nil:
		return nil
	case runErr != nil && !errors.As(runErr, &exit):
		return runErr
	case len(r.Outcomes) == 0 || !r.Outcomes[len(r.Outcomes)-1].Verdict.judged():
		return fmt.Errorf("upstream's script ended without a verdict: %w\n%s", errors.Join(runErr, errors.New("it printed")), proc.Tail(r.Output, outputTail))
	}
	return nil
}

// parseCoordinates reads the first two columns of SHOW BINARY LOG STATUS as the client prints them.
func parseCoordinates(text string) (server.Coordinates, error) {
	fields := strings.Split(strings.TrimRight(text, "\n"), "\t")
	if len(fields) < 2 {
		return server.Coordinates{}, fmt.Errorf("binary log coordinates: the client printed %q", text)
	}
	pos, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return server.Coordinates{}, fmt.Errorf("binary log coordinates: %w", err)
	}
	return server.Coordinates{File: fields[0], Pos: pos}, nil
}
