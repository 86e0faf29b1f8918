package migration

import (
	"context"
	"regexp"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/tool"
)

// Descriptor is all that is particular to one migration tool: how it is run, what it says, and how it can be slowed,
// held and interrupted. Suites read it and never ask for a tool's name. A field that is left out says that the tool has
// nothing of the kind.
type Descriptor struct {
	Name  string // in matrix.yaml
	Modes []Mode // all ways of using it, the most usual one first
	// PrimaryModes change the table on the primary, where readers and writers meet the cut-over. Specs for which the
	// mode makes no difference take the first one.
	PrimaryModes []Mode
	Variants     []Variant
	// Migrate runs the program. The job has been checked.
	Migrate func(ctx context.Context, p *tool.Program, job Job) (*Result, error)
	// Knows says whether this version of the program has a flag; nil is a tool whose versions all have the same flags.
	Knows func(ctx context.Context, p *tool.Program, scope, flag string) bool
	// Unsupported says why it cannot work with a server, "" when it can; nil is a tool for all servers.
	Unsupported func(flavor.Flavor) string
	// Triggers says that it follows writes by triggers, and not by the binary log.
	Triggers bool
	// Immediate says that it is a statement of the server's own: it has no process, makes no table beside, and cannot be held
	// before the exchange.
	Immediate bool
	// CountsEvents says that it prints how many writes it took from the binary log.
	CountsEvents bool

	Objects      Objects
	Copy         Copying
	CutOver      CutOver
	Commands     *Commands
	Throttle     Throttle
	Postpone     *Postpone
	Resume       *Resume
	Revert       *Revert
	Instant      *Instant
	Flags        Flags
	KeepTriggers []string // flags by which a table's triggers are kept, the first one not in every version
	Cases        map[Case]ToolCase

	// Unable is what it prints when a mode cannot make a change that another mode can, a regular expression.
	Unable string
	// Denies is what it prints when it has not changed the table.
	Denies string
	// Privileges are further global ones that it needs.
	Privileges []string
	// InsteadOfReplicationClient are privileges that it needs where a server has no REPLICATION CLIENT.
	InsteadOfReplicationClient []string
	// Failure finds the reason in what it prints when it gives up, the most exact pattern first. Where none does, the
	// lines that ReasonWords finds are its reason, else its last ones; Noise are lines that stand around them.
	Failure            []*regexp.Regexp
	ReasonWords, Noise *regexp.Regexp
	// Begun is what it prints once it does more than look at the table and the change.
	Begun *regexp.Regexp
	// Reserved are options that a user must not add, ReservedValues those with such values; Abbreviates says that it
	// takes shortened ones as well.
	Reserved       []string
	ReservedValues *regexp.Regexp
	Abbreviates    bool
	// ServerAlter is the change that the server is to make where the tool, as documented, wants it written otherwise;
	// nil is as it stands. names are those of the table's foreign keys.
	ServerAlter func(alter string, names []string) string
	// HasLocaltests says that its source has gh-ost's own tests beside it.
	HasLocaltests bool
}

// Variant is a further way of using a mode.
type Variant struct {
	Mode  Mode
	Name  string
	Flags []string
}

// Objects are the tables and triggers that a tool makes beside the table that it changes.
type Objects struct {
	// NewTable is the name of the table that it builds.
	NewTable func(table string) string
	// Follows is a query of one number: it is above 0 once the tool sees every write that comes.
	Follows func(database, table string) string
	// Left are the objects that it may leave behind when it is killed or gives up, as "table NAME" or "trigger NAME".
	// Its documentation has the user remove them.
	Left func(database, table string) []string
	// Removed says that its next run removes them.
	Removed bool
	// LeftByRefusal are the tables that it may leave when it refuses a change.
	LeftByRefusal func(table string) []string
}

// Copying is how the copy of rows can be slowed and watched.
type Copying struct {
	// Slow are flags by which the copy of a few hundred rows, ten at a time, takes long enough to meet writes.
	Slow []string
	// Chunks are flags by which the copy of some thousand rows has many places at which it can be interrupted.
	Chunks []string
	// LockFirst says that a row can be locked before it starts, so that the copy waits there.
	LockFirst bool
	// Rebuild is what is added to a change so that the tool copies the rows, where it lets the server change the table in
	// place when it can.
	Rebuild string
	// Progress is how it prints how much it has copied.
	Progress *regexp.Regexp
}

// CutOver is how a tool exchanges the tables.
type CutOver struct {
	Ways []Exchange
	// Lock is the statement by which it locks the table, as a pattern of LIKE, and Counter the status variable that
	// counts such statements.
	Lock, Counter string
	// GiveUp are flags by which it waits a second for the lock and tries a few times; Retry, by which it tries for a minute;
	// WaitLong, by which a single try waits longer than any spec holds it up.
	GiveUp, Retry, WaitLong []string
	// Unlocked is what it prints when it has let go of the lock and its RENAME still waits.
	Unlocked string
}

// Exchange is a way of exchanging the tables.
type Exchange struct {
	Name  string
	Flags []string
	// Gap says that, as documented, the table is missing for a moment between two renames.
	Gap bool
}

// Commands are lines that a running tool takes on a socket.
type Commands struct {
	Socket string // in the working folder
	// Pause stops the copy, after which the tool prints Paused; Continue lets it go on; FullSpeed ends what Copying or
	// Throttle slowed.
	Pause, Paused, Continue, FullSpeed string
}

// Throttle is how a tool waits for replicas that lag.
type Throttle struct {
	// On are flags by which it keeps the lag of a replica, given as host:port, under a second; Off, by which it does
	// not ask for the lag.
	On  func(replica string) []string
	Off []string
	// Slow are flags by which the copy is not over before the lag is seen.
	Slow []string
	// Waiting is what it prints while it waits for a lagging replica.
	Waiting string
}

// Postpone is how a tool waits with the cut-over while a file exists.
type Postpone struct {
	Flag    string // the file's path follows
	Waiting string // what it prints while it waits
}

// Resume is how a tool goes on with what a killed run has left.
type Resume struct {
	Known    string   // the flag by which a version that can do this is told
	First    []string // flags of the run that is killed
	Saved    string   // what that run prints when it can be resumed, a regular expression
	Again    []string // flags of the run that resumes
	Resumed  string   // what that run prints
	Left     []string // objects that stay when it has succeeded
	HooksDir string   // the flag for a folder of hooks; the path follows
	Hook     string   // name of the hook that runs when the second run has validated all
}

// Revert is how a tool undoes a change that it has made, with the writes that came since.
type Revert struct {
	Known    string   // the flag by which a version that can do this is told
	First    []string // flags of the run that can be reverted
	Again    func(table string) []string
	Reverted string                      // what that run prints
	Left     func(table string) []string // objects that stay when it has succeeded
}

// Instant is how a tool lets the server make a change at once when it can.
type Instant struct {
	Flag string
	Done string // what it prints when the server has
}

// Flags are further flags, by what they are for.
type Flags struct {
	FewRetries    []string // it gives up after seconds, where it would retry for a minute or more
	ReadTimeout   []string // it does not wait for a silent server without end
	FewReconnects []string // it does not reconnect to the server whose log it reads without end
	OtherPort     []string // it takes a server whose port is not the one that it connected to
	Ring          []string // it takes a primary that is a replica of another one
	GTID          []string // it follows writes by GTID
}

// Case says what the tool does with a case.
func (d *Descriptor) Case(c Case) ToolCase { return d.Cases[c] }
