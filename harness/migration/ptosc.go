package migration

import (
	"context"
	"strconv"
	"strings"

	"mysqlmatrix/harness/tool"
)

// PTOSC drives pt-online-schema-change of Percona Toolkit.
type PTOSC struct{ Program *tool.Program }

// Name is "pt-online-schema-change".
func (p *PTOSC) Name() string { return NamePTOSC }

// Modes is the one way in which it works.
func (p *PTOSC) Modes() []Mode { return []Mode{ModeTriggers} }

// Migrate runs pt-online-schema-change on the primary. It does not say how long the table was locked.
func (p *PTOSC) Migrate(ctx context.Context, job Job) (*Result, error) {
	if err := job.check(p); err != nil {
		return nil, err
	}
	if _, err := writeCredentials(job.Workdir, job.Primary); err != nil {
		return nil, err
	}
	if err := writePlugin(job.Workdir); err != nil {
		return nil, err
	}
	result, err := run(ctx, p.Program, job, p.arguments(job))
	if copied := copiedRows.FindStringSubmatch(result.Output); copied != nil {
		result.RowsCopied = parseCount(copied[1])
	}
	return result, err
}

func (p *PTOSC) arguments(job Job) []string {
	args := []string{
		// It must be the first option. Empty, it keeps out the machine's and the user's own settings.
		"--config=",
		"--no-version-check", // it would ask a server on the Internet
		"--alter=" + job.Alter,
		// Replicas by SHOW REPLICAS: in the process list those of a sandbox have a client's port.
		"--recursion-method=hosts",
		"--no-check-replication-filters",
		"--charset=utf8mb4",
		// The defaults, 25 and 50, are what a busy spec runs by itself.
		"--max-load=Threads_running=100", "--critical-load=Threads_running=1000",
		"--statistics", "--progress=percentage,10",
		"--plugin=./" + pluginFile,
		"--execute",
	}
	if job.ChunkSize > 0 {
		// Otherwise it adapts the size to take half a second a chunk.
		args = append(args, "--chunk-size="+strconv.Itoa(job.ChunkSize), "--chunk-time=0")
	}
	args = append(args, job.Extra...)
	// A path with a comma cannot be told in a DSN: the option file is named from the working folder.
	comma := strings.NewReplacer(",", `\,`)
	return append(args, "F=./"+credentialsFile+",h="+job.Primary.Host+",P="+strconv.Itoa(job.Primary.Port)+
		",D="+comma.Replace(job.Database)+",t="+comma.Replace(job.Table))
}
