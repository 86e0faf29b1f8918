package migration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// countPlugin is a plug-in of the tool (see PLUGIN in its manual) that counts what each of its INSERT … SELECT
// copied: the tool itself prints percentages of an estimate only.
const countPlugin = `package pt_online_schema_change_plugin;
use strict;
sub new { return bless { rows => 0 }, shift }
sub on_copy_rows_after_nibble { my ($self, %args) = @_; $self->{rows} += $args{tbl}->{row_cnt} || 0 }
sub after_copy_rows { my ($self) = @_; print "rows copied: $self->{rows}\n" }
1;
`

// countFile is where the plug-in lies in the working folder.
const countFile = "count.pm"

var copiedRows = regexp.MustCompile(`(?m)^rows copied: (\d+)$`)

// Migrate runs pt-online-schema-change on the primary. It does not say how long the table was locked.
func (p *PTOSC) Migrate(ctx context.Context, job Job) (*Result, error) {
	if err := job.check(p); err != nil {
		return nil, err
	}
	if _, err := writeCredentials(job.Workdir, job.Primary); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(job.Workdir, countFile), []byte(countPlugin), 0o644); err != nil {
		return nil, fmt.Errorf("plug-in for the tool: %w", err)
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
		"--plugin=./" + countFile,
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
