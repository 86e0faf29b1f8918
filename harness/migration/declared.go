package migration

import (
	"context"
	"strconv"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// declared is the descriptor of a tool that matrix.yaml declares.
func declared(name string, d *matrix.OwnTool) *Descriptor {
	mode := map[string]Mode{matrix.FollowsBinaryLog: ModeBinaryLog, matrix.FollowsTriggers: ModeTriggers, matrix.FollowsLock: ModeCopy}[d.Follows]
	named := func(text, database, table string) string {
		return matrix.Expand(text, map[string]string{"database": database, "table": table})
	}
	one := &Descriptor{
		Name: name, Modes: []Mode{mode}, PrimaryModes: []Mode{mode},
		Migrate: func(ctx context.Context, p *tool.Program, job Job) (*Result, error) {
			return runDeclared(ctx, p, d, job)
		},
		Triggers:  d.Follows == matrix.FollowsTriggers,
		Immediate: len(d.Hold) == 0,
		Objects: Objects{
			NewTable: func(table string) string { return named(d.NewTable, "", table) },
			Follows: func(database, table string) string {
				return "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = " + server.Quote(database) +
					" AND table_name = " + server.Quote(named(d.NewTable, database, table))
			},
			Left: func(database, table string) []string {
				var list []string
				for _, text := range d.Leaves {
					list = append(list, named(text, database, table))
				}
				return list
			},
		},
		CutOver: CutOver{Ways: []Exchange{{Name: "its own"}}},
		Cases:   map[Case]ToolCase{},
	}
	for _, c := range d.Cases {
		one.Cases[Case(c.Case)] = ToolCase{Flags: c.Arguments, Refusal: c.Refuses}
	}
	return one
}

// runDeclared runs a declared tool with a job's values in the place of its placeholders.
func runDeclared(ctx context.Context, p *tool.Program, d *matrix.OwnTool, job Job) (*Result, error) {
	credentials, err := writeCredentials(job.Workdir, job.Primary)
	if err != nil {
		return nil, err
	}
	values := map[string]string{
		"host": job.Primary.Host, "port": strconv.Itoa(job.Primary.Port), "user": job.Primary.User, "password_file": credentials,
		"database": job.Database, "table": job.Table, "alter": job.Alter, "chunk_size": strconv.Itoa(job.ChunkSize), "file": job.held,
	}
	list := d.Arguments
	if job.held != "" {
		list = append(list[:len(list):len(list)], d.Hold...)
	}
	var args []string
	for _, text := range list {
		args = append(args, matrix.Expand(text, values))
	}
	return run(ctx, p, job, append(args, job.Extra...))
}
