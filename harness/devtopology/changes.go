package devtopology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/failover/process"
)

// lagTold is from which lag on, in seconds, that a replica lags is a change worth a line.
const lagTold = 2

// Changes are what is different between two looks at a topology, a line each. GTID sets and coordinates, which change all the
// time, stand beside a role that is new. Without a look before, everything is new.
func Changes(before, now *Snapshot) (lines []string) {
	add := func(at time.Time, format string, args ...any) {
		lines = append(lines, at.Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
	}
	if before == nil {
		before = &Snapshot{}
		add(now.At, "%s: %s of %s", now.Name, now.Topology, now.Server)
	}
	for _, f := range now.Faults {
		if !slices.ContainsFunc(before.Faults, func(o Injected) bool { return o.same(f) && o.At.Equal(f.At) }) {
			add(now.At, "injected: %s", f)
		}
	}
	for _, f := range before.Faults {
		if !slices.ContainsFunc(now.Faults, func(o Injected) bool { return o.same(f) && o.At.Equal(f.At) }) {
			add(now.At, "healed: %s", f)
		}
	}
	for i, n := range now.Nodes {
		var was NodeSeen
		if i < len(before.Nodes) {
			was = before.Nodes[i]
		}
		for _, text := range nodeChanges(was, n) {
			add(now.At, "%s %s", n.Name, text)
		}
	}
	if now.Manager != before.Manager {
		add(now.At, "manager: %s", strings.TrimSpace(now.Manager+" "+now.API+" "+now.Page))
	}
	if now.ManagerError != before.ManagerError && now.ManagerError != "" {
		add(now.At, "manager: %s", now.ManagerError)
	}
	if now.ManagerError != "" {
		return lines // what it has decided is not known
	}
	for _, d := range now.Decisions {
		known := func(o process.Decision) bool { return o.At().Equal(d.At()) && o.String() == d.String() }
		if !slices.ContainsFunc(before.Decisions, known) {
			add(now.At, "manager: %s", d)
		}
	}
	return lines
}

// nodeChanges are what is different in a node.
func nodeChanges(was, now NodeSeen) (list []string) {
	if was.Role != now.Role {
		text := "is " + now.Role
		if now.Error != "" {
			text += ": " + now.Error
		}
		if now.Coordinates != "" {
			text += ", at " + now.Coordinates
		}
		if now.GTID != "" {
			text += ", has " + now.GTID
		}
		list = append(list, text)
	}
	if now.Coordinates == "" {
		return list // it does not answer
	}
	if was.Coordinates == "" || was.ReadOnly != now.ReadOnly {
		list = append(list, map[bool]string{true: "is read-only", false: "takes writes"}[now.ReadOnly])
	}
	if was.SemiSync != now.SemiSync {
		list = append(list, "semi-synchronous replication: "+orNone(now.SemiSync))
	}
	for _, c := range now.Channels {
		i := slices.IndexFunc(was.Channels, func(o ChannelSeen) bool { return o.Source == c.Source })
		old := ChannelSeen{}
		if i >= 0 {
			old = was.Channels[i]
		}
		if old.IO != c.IO || old.SQL != c.SQL || old.Error != c.Error {
			text := fmt.Sprintf("follows %s: I/O %s, SQL %s", c.Source, c.IO, c.SQL)
			if c.Error != "" {
				text += ", " + c.Error
			}
			list = append(list, text)
		}
		if old.Delay != c.Delay {
			list = append(list, fmt.Sprintf("applies %d s late by its settings", c.Delay))
		}
		if lags(old) != lags(c) {
			list = append(list, fmt.Sprintf("lags %s behind %s", Lag(c), c.Source))
		}
	}
	if len(was.Channels) > 0 && len(now.Channels) == 0 {
		list = append(list, "follows nobody")
	}
	return list
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func lags(c ChannelSeen) bool { return c.Lag != nil && *c.Lag >= lagTold }

// Lag is a channel's lag in words.
func Lag(c ChannelSeen) string {
	if c.Lag == nil {
		return "?"
	}
	return strconv.Itoa(*c.Lag) + " s"
}
