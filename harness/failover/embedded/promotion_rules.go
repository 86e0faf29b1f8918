package embedded

import (
	"fmt"
	"strings"

	"mysqlmatrix/harness/failover"
)

// promotionRules are what rules a candidate out. Each says why, "" when it does not.
var promotionRules = []func(c candidate, others []candidate, dead failover.Observation) string{
	func(c candidate, _ []candidate, _ failover.Observation) string {
		return when(c.Rule == failover.MustNot, "must not be promoted")
	},
	func(c candidate, _ []candidate, _ failover.Observation) string {
		return when(c.link.Error != "", "cannot apply what it has: "+c.link.Error)
	},
	func(c candidate, _ []candidate, _ failover.Observation) string {
		return when(len(c.Links) > 1, "replicates from several sources")
	},
	func(c candidate, _ []candidate, _ failover.Observation) string {
		return when(c.Unwritable, "cannot take writes: innodb_read_only is on")
	},
	func(c candidate, _ []candidate, _ failover.Observation) string {
		return when(len(c.link.Filters) > 0, "does not apply everything: "+strings.Join(c.link.Filters, ", "))
	},
	func(c candidate, others []candidate, dead failover.Observation) string {
		return when(len(others) > 0 && len(c.BinlogFilters) > 0 && strings.Join(c.BinlogFilters, " ") != strings.Join(dead.BinlogFilters, " "),
			"does not log everything: "+strings.Join(c.BinlogFilters, ", "))
	},
	func(c candidate, _ []candidate, dead failover.Observation) string {
		differs := dead.LowerCaseTableNames != "" && c.LowerCaseTableNames != dead.LowerCaseTableNames
		return when(differs, fmt.Sprintf("names tables otherwise: lower_case_table_names is %s, and %s on the old primary", c.LowerCaseTableNames, dead.LowerCaseTableNames))
	},
	func(c candidate, others []candidate, _ failover.Observation) string {
		return when(len(others) > 0 && (c.Format == failover.FormatNone || !c.LogUpdates), "does not log what it applies, so that no replica could follow it")
	},
	func(c candidate, others []candidate, dead failover.Observation) string {
		return when(len(others) > 0 && dead.SemiSync && !c.CanWait, "cannot wait for its replicas: the semi-synchronous source plug-in is missing")
	},
	func(c candidate, others []candidate, _ failover.Observation) string {
		for _, o := range others {
			if reason := cannotFollow(o, c); reason != "" {
				return "cannot be followed by " + o.Name + ": " + reason
			}
		}
		return ""
	},
}

func when(is bool, reason string) string {
	if is {
		return reason
	}
	return ""
}

// disqualified is why a replica may not be promoted, "" when nothing speaks against it.
func disqualified(c candidate, all []candidate, dead failover.Observation) string {
	var others []candidate // that would have to follow it
	for _, o := range all {
		if o.Name != c.Name && o.link.Error == "" {
			others = append(others, o)
		}
	}
	for _, rule := range promotionRules {
		if reason := rule(c, others, dead); reason != "" {
			return reason
		}
	}
	return ""
}

// cannotFollow is why a server cannot replicate from another, by version or binary log format; "" when
// it can.
func cannotFollow(replica, source candidate) string {
	if !replica.Flavor.CanReplicateFrom(source.Flavor) {
		return fmt.Sprintf("%s does not read the logs of %s", replica.Flavor, source.Flavor)
	}
	if replica.LogUpdates && replica.Format != failover.FormatNone && replica.Format < source.Format {
		return "its binary log format is lower"
	}
	return ""
}
