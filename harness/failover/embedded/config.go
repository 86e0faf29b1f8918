package embedded

import (
	"time"

	"mysqlmatrix/harness/failover"
)

// Config is how the embedded manager works.
type Config struct {
	Members []failover.Member
	// Interval is how often each server is polled; 0 means 250 ms.
	Interval time.Duration
	// Limit bounds each connection and query of a poll, but the first; 0 means Interval.
	Limit time.Duration
	// ActionLimit bounds each action of a recovery, but the waits, and the first poll; 0 means ten seconds. A replica
	// whose source hangs may take its own slave_net_timeout to stop its receiver: it is in the middle of connecting.
	ActionLimit time.Duration
	// ApplyLimit is how long all candidates together may take to apply what they have received; 0 means 30 s.
	ApplyLimit time.Duration
	// CandidateLimit is how long a candidate may take while another one has the same data; 0 means 3 s.
	CandidateLimit time.Duration
	// FollowLimit is how long a replica may take until it replicates from the new primary; 0 means 10 s.
	FollowLimit time.Duration
	// SemiSyncAlone enables semi-synchronous replication on the new primary also when no replica is left to
	// acknowledge, so that it takes no write until one is. Otherwise such a primary is asynchronous.
	SemiSyncAlone bool
	// Readmit makes a replaced primary that comes back follow the new one, when that has all that it has.
	Readmit bool
	Policy  Policy
	Hooks   failover.Hooks
	// StateFile keeps what a manager that is started again must know: which primaries were replaced, and what a recovery that
	// was under way had done. "" keeps it in the process only.
	StateFile string
	// FindPosition is for replicas that do not use GTID; without it they are excluded.
	FindPosition failover.PositionFinder

	// planted is a bug that a suite has put in; see the build tag of that name.
	planted      bug
	interruption *interruption
}

// Policy is what an operator allows.
type Policy struct {
	// Confirmations is how many polls of the primary must have failed; 0 means two.
	Confirmations int
	// AntiFlapping is how long after a failover no other one is begun.
	AntiFlapping time.Duration
	// AllowErrant lets a server be promoted that has transactions of its own, when there is no other.
	AllowErrant bool
	// Unblock switches a primary that waits for acknowledgements that no replica gives to asynchronous replication.
	Unblock bool
	// AllowLoss lets a replica be promoted under semi-synchronous replication though another one has received more, or so
	// many do not answer that they may have: acknowledged writes may be lost.
	AllowLoss bool
	// FindsPositions says that replicas that do not use GTID can be repointed.
	FindsPositions bool

	byName, believes, forgets, again, quorumless bool // planted bugs
}

func (p Policy) confirmations() int {
	if p.Confirmations == 0 {
		return 2
	}
	return p.Confirmations
}

func (c *Config) setDefaults() {
	orElse := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	orElse(&c.Interval, 250*time.Millisecond)
	orElse(&c.Limit, c.Interval)
	orElse(&c.ActionLimit, 10*time.Second)
	orElse(&c.ApplyLimit, 30*time.Second)
	orElse(&c.CandidateLimit, 3*time.Second)
	orElse(&c.FollowLimit, 10*time.Second)
	c.Policy.FindsPositions = c.FindPosition != nil
}
