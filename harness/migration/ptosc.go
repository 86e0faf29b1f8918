package migration

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// NamePTOSC is pt-online-schema-change's name in matrix.yaml.
const NamePTOSC = "pt-online-schema-change"

// noKeyPTOSC is how it refuses a table whose rows its DELETE trigger could not name.
const noKeyPTOSC = "does not have a PRIMARY KEY or a unique index"

var _ = register(&Descriptor{
	Name:         NamePTOSC,
	Modes:        []Mode{ModeTriggers},
	PrimaryModes: []Mode{ModeTriggers},
	Variants:     []Variant{{Mode: ModeTriggers, Name: "triggers, no recursion", Flags: []string{"--recursion-method=none"}}},
	Migrate:      migratePTOSC,
	Triggers:     true,
	Objects: Objects{
		NewTable: func(table string) string { return "_" + table + "_new" },
		// It sees all writes once it has its third trigger.
		Follows: func(database, _ string) string {
			return "SELECT COUNT(*) DIV 3 FROM information_schema.triggers WHERE trigger_schema = " + server.Quote(database)
		},
		// Its manual: a tool that is killed leaves its triggers and new table, which are to be dropped by hand,
		// the triggers first.
		Left: func(database, table string) []string {
			trigger := "trigger pt_osc_" + database + "_" + table
			return []string{trigger + "_ins", trigger + "_upd", trigger + "_del", "table _" + table + "_new", "table _" + table + "_old"}
		},
	},
	Copy: Copying{
		Slow: []string{"--sleep=0.03"}, Chunks: []string{"--chunk-size=100", "--sleep=0.2"},
		Progress: regexp.MustCompile(`Copying .*: +\d+%`),
	},
	CutOver: CutOver{
		Ways: []Exchange{{Name: "rename"}},
		Lock: "RENAME TABLE%", Counter: "Com_rename_table",
		GiveUp:   []string{"--set-vars=lock_wait_timeout=1", "--tries=swap_tables:2:0.5,drop_triggers:2:0.5,copy_rows:60:0.25"},
		Retry:    []string{"--set-vars=lock_wait_timeout=1", "--tries=swap_tables:60:0.5,drop_triggers:60:0.5,copy_rows:60:0.25"},
		WaitLong: []string{"--set-vars=lock_wait_timeout=20", "--tries=copy_rows:60:0.25"},
	},
	Throttle: Throttle{
		On:   func(string) []string { return []string{"--max-lag=1", "--check-interval=1"} },
		Off:  []string{"--recursion-method=none"},
		Slow: []string{"--chunk-size=50", "--sleep=0.2"},
	},
	Flags: Flags{
		FewRetries: []string{"--tries=copy_rows:20:0.25,drop_triggers:2:0.5"},
		Ring:       []string{"--force"},
	},
	Cases: map[Case]ToolCase{
		CaseNoKey:                  {Refusal: "There is no good index|(?i)cannot chunk the original table|" + noKeyPTOSC},
		CaseNullableKey:            {Refusal: noKeyPTOSC},
		CaseNullableKeyWithoutNull: {Refusal: noKeyPTOSC},
		CaseRenamedKey:             {Flags: []string{"--no-check-alter"}},
		CaseReplacedPrimaryKey:     {Flags: []string{"--no-check-alter"}},
		CaseSwappedUniqueKeys:      {Flags: []string{"--no-check-unique-key-change"}},
		CaseSwappedColumns:         {Flags: []string{"--no-check-alter"}},
		// It refuses without --alter-foreign-keys-method.
		CaseReferenced:    {Refusal: "(?i)did not specify --alter-foreign-keys-method"},
		CaseTrigger:       {Refusal: "(?i)has triggers|triggers.*is not supported"},
		CaseFewPrivileges: {Refusal: "(?i)denied"},
	},
	Denies: "was not altered",

	Failure: []*regexp.Regexp{ptoscError}, ReasonWords: ptoscReasonWords, Noise: ptoscNoise,
	Begun:    regexp.MustCompile(`Creating triggers\.\.\.|Copying `),
	Reserved: ptoscReserved, ReservedValues: ptoscReservedValues, Abbreviates: true,
	ServerAlter: ptoscServerAlter,
})

// migratePTOSC runs pt-online-schema-change on the primary. It does not say how long the table was locked.
func migratePTOSC(ctx context.Context, p *tool.Program, job Job) (*Result, error) {
	var lines []string
	if job.Primary.TLS {
		// By 3.7.1's own --mysql_ssl, DBD::mysql 4.050 with MariaDB's client library says that it cannot enforce TLS. The library
		// connects with TLS when ciphers are named.
		lines = append(lines, "ssl-cipher=ECDHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384")
	}
	if _, err := writeCredentials(job.Workdir, job.Primary, lines...); err != nil {
		return nil, err
	}
	if err := writePlugin(job.Workdir); err != nil {
		return nil, err
	}
	result, err := run(ctx, p, job, ptoscArguments(job))
	if copied := copiedRows.FindStringSubmatch(result.Output); copied != nil {
		result.RowsCopied = parseCount(copied[1])
	}
	return result, err
}

func ptoscArguments(job Job) []string {
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

var droppedKey = regexp.MustCompile("(?i)(\\bdrop\\s+(?:foreign\\s+key|constraint)\\s+(?:if\\s+exists\\s+)?)(`(?:[^`]|``)+`|[\\w$]+)")

// ptoscServerAlter names foreign keys as the table has them: the tool's copy has a key fk as _fk, _fk as __fk and __fk as
// fk, and its manual has the user name the copy's (--alter, "DROP FOREIGN KEY").
func ptoscServerAlter(alter string, names []string) string {
	return droppedKey.ReplaceAllStringFunc(alter, func(text string) string {
		match := droppedKey.FindStringSubmatch(text)
		named := strings.ReplaceAll(strings.Trim(match[2], "`"), "``", "`")
		for _, name := range names {
			if strings.EqualFold(ptoscKeyName(name), named) {
				return match[1] + server.Ident(name)
			}
		}
		return text
	})
}

func ptoscKeyName(name string) string {
	if rest, ok := strings.CutPrefix(name, "__"); ok {
		return rest
	}
	return "_" + name
}
