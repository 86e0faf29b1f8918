package migration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// credentialsFile holds the account: on the command line every user of the machine could read it.
const credentialsFile = "client.cnf"

// writeCredentials writes an option file that every tool reads, with further lines for one.
func writeCredentials(dir string, ep server.Endpoint, lines ...string) (path string, err error) {
	path = filepath.Join(dir, credentialsFile)
	text := "[client]\nuser=" + ep.User + "\npassword=" + ep.Password + "\n" + strings.Join(append(lines, ""), "\n")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("account for the tool: %w", err)
	}
	return path, nil
}

// run runs the tool in the job's folder. It writes straight to the log file, which is then complete even
// when this process is killed.
func run(ctx context.Context, p *tool.Program, job Job, args []string) (*Result, error) {
	result := &Result{
		Target: job.Mode.Target(job.Table), Log: logPath(job, p.Name),
		ExitCode: -1, RowsCopied: -1, DMLApplied: -1,
	}
	log, err := os.Create(result.Log)
	if err != nil {
		return result, fmt.Errorf("%s: log: %w", p.Name, err)
	}
	begin := time.Now()
	_, runErr := proc.Run(ctx, proc.Cmd{
		Path: p.Path, Args: args, Dir: job.Workdir, Env: p.Env, Scope: job.Scope,
		Stdin: strings.NewReader(""), Stdout: log, Stderr: log, Usage: &result.Usage, OnStart: job.OnStart,
	})
	result.Duration = time.Since(begin)
	closeErr := log.Close()
	text, readErr := os.ReadFile(result.Log)
	if err := errors.Join(closeErr, readErr); err != nil {
		return result, errors.Join(runErr, fmt.Errorf("%s: log: %w", p.Name, err))
	}
	result.Output = string(text)
	if runErr == nil {
		result.ExitCode = 0
		return result, nil
	}
	var failed *proc.RunError
	if errors.As(runErr, &failed) {
		failed.Output = result.Output
	}
	var exit *exec.ExitError
	if errors.As(runErr, &exit) {
		result.ExitCode = exit.ExitCode()
	}
	what := "failed"
	if ctx.Err() != nil {
		what = fmt.Sprintf("was stopped after %s", result.Duration.Round(time.Millisecond))
	}
	return result, fmt.Errorf("%s %s, mode %s, %s: %w", p.Name, p.Version, job.Mode, what, runErr)
}
