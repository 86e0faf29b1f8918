package server

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// GTIDSet is a set of transactions, of either GTID design, so that the data of two servers can be compared.
// A MySQL set holds intervals for each source (and tag); a MariaDB position holds, for each domain, all
// sequence numbers up to the one named, whichever server wrote it; a MariaDB binary log state does so for
// each domain and server. The zero GTIDSet is empty.
type GTIDSet struct {
	intervals map[string][]interval // sorted, neither overlapping nor touching
}

// interval is a closed range of sequence numbers.
type interval struct{ first, last uint64 }

// ParseGTIDSet reads gtid_executed and its like (MySQL), or a position such as "0-101-45,1-102-3" (MariaDB).
func ParseGTIDSet(style flavor.GTIDStyle, text string) (GTIDSet, error) {
	switch style {
	case flavor.GTIDMySQL:
		return parseMySQL(text)
	case flavor.GTIDMariaDB:
		return parseMariaDB(text, func(domain, _ string) string { return domain })
	default:
		return GTIDSet{}, nil
	}
}

// ParseBinlogState reads MariaDB's gtid_binlog_state: the last sequence number for each domain and server.
func ParseBinlogState(text string) (GTIDSet, error) {
	return parseMariaDB(text, func(domain, server string) string { return domain + "-" + server })
}

// parseMySQL reads "uuid:1-5:7,uuid:tag:1-3"; tags came with 8.3 (manual, "GTID Format and Storage").
func parseMySQL(text string) (GTIDSet, error) {
	set := GTIDSet{intervals: map[string][]interval{}}
	for part := range strings.SplitSeq(strings.Join(strings.Fields(text), ""), ",") {
		if part == "" {
			continue
		}
		fields := strings.Split(part, ":")
		uuid := strings.ToLower(fields[0])
		key := uuid
		for _, field := range fields[1:] {
			if field == "" || field[0] < '0' || field[0] > '9' {
				key = uuid + ":" + strings.ToLower(field)
				continue
			}
			one, err := parseInterval(field)
			if err != nil {
				return GTIDSet{}, fmt.Errorf("GTID set %q: %w", text, err)
			}
			set.intervals[key] = append(set.intervals[key], one)
		}
	}
	for key, list := range set.intervals {
		set.intervals[key] = normalize(list)
	}
	return set, nil
}

func parseInterval(text string) (interval, error) {
	low, high, ranged := strings.Cut(text, "-")
	first, err := strconv.ParseUint(low, 10, 64)
	if err != nil {
		return interval{}, err
	}
	last := first
	if ranged {
		if last, err = strconv.ParseUint(high, 10, 64); err != nil {
			return interval{}, err
		}
	}
	if first == 0 || last < first {
		return interval{}, fmt.Errorf("interval %q: want numbers from 1 upwards", text)
	}
	return interval{first, last}, nil
}

func parseMariaDB(text string, key func(domain, server string) string) (GTIDSet, error) {
	set := GTIDSet{intervals: map[string][]interval{}}
	for part := range strings.SplitSeq(strings.Join(strings.Fields(text), ""), ",") {
		if part == "" {
			continue
		}
		fields := strings.Split(part, "-")
		if len(fields) != 3 {
			return GTIDSet{}, fmt.Errorf("GTID position %q: want domain-server-sequence", text)
		}
		last, err := strconv.ParseUint(fields[2], 10, 64)
		if err != nil {
			return GTIDSet{}, fmt.Errorf("GTID position %q: %w", text, err)
		}
		if last > 0 {
			k := key(fields[0], fields[1])
			set.intervals[k] = normalize(append(set.intervals[k], interval{1, last}))
		}
	}
	return set, nil
}

// normalize sorts intervals and joins those that overlap or touch.
func normalize(list []interval) []interval {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	var joined []interval
	for _, one := range sorted {
		// one.first is at least 1, so one.first-1 does not wrap.
		if n := len(joined); n > 0 && one.first-1 <= joined[n-1].last {
			joined[n-1].last = max(joined[n-1].last, one.last)
			continue
		}
		joined = append(joined, one)
	}
	return joined
}

// IsEmpty says that the set holds nothing.
func (g GTIDSet) IsEmpty() bool { return len(g.intervals) == 0 }

// Count is how many transactions the set holds; of a MariaDB position, how many sequence numbers.
func (g GTIDSet) Count() (n uint64) {
	for _, list := range g.intervals {
		for _, one := range list {
			n += one.last - one.first + 1
		}
	}
	return n
}

// Contains says whether every transaction of o is in g.
func (g GTIDSet) Contains(o GTIDSet) bool { return o.Minus(g).IsEmpty() }

// Union is what is in either.
func (g GTIDSet) Union(o GTIDSet) GTIDSet {
	all := GTIDSet{intervals: maps.Clone(g.intervals)}
	if all.intervals == nil {
		all.intervals = map[string][]interval{}
	}
	for key, list := range o.intervals {
		all.intervals[key] = normalize(slices.Concat(all.intervals[key], list))
	}
	return all
}

// Minus is what is in g and not in o.
func (g GTIDSet) Minus(o GTIDSet) GTIDSet {
	rest := GTIDSet{intervals: map[string][]interval{}}
	for key, list := range g.intervals {
		if left := subtract(list, o.intervals[key]); len(left) > 0 {
			rest.intervals[key] = left
		}
	}
	return rest
}

// Without is the set less everything that one source (a MySQL server's UUID, with all its tags) wrote.
func (g GTIDSet) Without(uuid string) GTIDSet {
	uuid = strings.ToLower(uuid)
	rest := GTIDSet{intervals: map[string][]interval{}}
	for key, list := range g.intervals {
		if key != uuid && !strings.HasPrefix(key, uuid+":") {
			rest.intervals[key] = list
		}
	}
	return rest
}

// WithoutServer is a MariaDB binary log state less everything that the server of that id wrote.
func (g GTIDSet) WithoutServer(id uint64) GTIDSet {
	suffix := "-" + strconv.FormatUint(id, 10)
	rest := GTIDSet{intervals: map[string][]interval{}}
	for key, list := range g.intervals {
		if !strings.HasSuffix(key, suffix) {
			rest.intervals[key] = list
		}
	}
	return rest
}

// RestoredAt is the part of a MariaDB binary log state that a server has in its data and not in its own binary log state:
// what servers that its state does not know, other than one, wrote up to the position that it was restored or replicated
// to.
func (g GTIDSet) RestoredAt(position, state GTIDSet, except uint64) GTIDSet {
	part := GTIDSet{intervals: map[string][]interval{}}
	suffix := "-" + strconv.FormatUint(except, 10)
	for key, list := range g.intervals {
		domain, _, _ := strings.Cut(key, "-")
		at := position.intervals[domain]
		if _, known := state.intervals[key]; known || strings.HasSuffix(key, suffix) || len(at) == 0 {
			continue
		}
		if last := list[len(list)-1].last; last <= at[len(at)-1].last {
			part.intervals[key] = list
		}
	}
	return part
}

func subtract(from, what []interval) []interval {
	var rest []interval
	for _, one := range from {
		gone := false
		for _, hole := range what {
			if hole.last < one.first || hole.first > one.last {
				continue
			}
			if hole.first > one.first {
				rest = append(rest, interval{one.first, hole.first - 1})
			}
			if hole.last >= one.last {
				gone = true
				break
			}
			one.first = hole.last + 1
		}
		if !gone {
			rest = append(rest, one)
		}
	}
	return rest
}

// String is for people: "uuid:1-5:7, …" (MySQL) or "domain:1-45" (MariaDB).
func (g GTIDSet) String() string {
	parts := make([]string, 0, len(g.intervals))
	for _, key := range slices.Sorted(maps.Keys(g.intervals)) {
		text := key
		for _, one := range g.intervals[key] {
			text += ":" + strconv.FormatUint(one.first, 10)
			if one.last > one.first {
				text += "-" + strconv.FormatUint(one.last, 10)
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// Text is the set as ParseGTIDSet reads it.
func (g GTIDSet) Text(style flavor.GTIDStyle) string {
	if style != flavor.GTIDMariaDB {
		return strings.ReplaceAll(g.String(), " ", "")
	}
	var parts []string
	for _, domain := range slices.Sorted(maps.Keys(g.intervals)) {
		list := g.intervals[domain]
		parts = append(parts, domain+"-0-"+strconv.FormatUint(list[len(list)-1].last, 10)) // the server is of no account
	}
	return strings.Join(parts, ",")
}

// MarshalText writes the set as String does, for audits.
func (g GTIDSet) MarshalText() ([]byte, error) { return []byte(g.String()), nil }
