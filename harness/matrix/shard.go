package matrix

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Job is one job of a CI matrix.
type Job struct {
	Name    string   `json:"name"`    // of letters, digits, dots and hyphens: good for an artifact and a branch of a cache
	Entries []string `json:"entries"` // in the order of matrix.yaml
	// Key names the sources of the entries' servers by digest: a CI cache of their basedirs is good as long as it stays.
	Key     string   `json:"key"`
	Cells   []string `json:"cells"`   // entry/suite/tool@version, as matrix run --cell takes them
	Seconds float64  `json:"seconds"` // how long they are expected to take
}

// MaxJobs is how many jobs GitHub lets a matrix have in one workflow run.
const MaxJobs = 256

// Jobs makes CI jobs of cells. With shards 0 each entry is a job; otherwise the cells are balanced over as many jobs
// by the seconds that expected gives. An entry's cells stay together, since each job obtains the servers of its
// entries; only an entry of more than a fair share is divided. A plan of more than MaxJobs is refused.
func Jobs(cells []Cell, shards int, expected func(Cell) float64) ([]Job, error) {
	if shards < 0 {
		return nil, errors.New("the number of shards cannot be negative")
	}
	groups := byEntry(cells)
	if shards > 0 {
		groups = balance(groups, shards, expected)
	}
	if len(groups) > MaxJobs {
		return nil, fmt.Errorf("%d jobs, more than the %d that GitHub lets a matrix have: choose fewer entries, or shards of several", len(groups), MaxJobs)
	}
	jobs := make([]Job, len(groups))
	for i, group := range groups {
		jobs[i] = newJob(group, expected)
		if shards > 0 {
			jobs[i].Name = fmt.Sprintf("shard-%d-of-%d", i+1, len(groups))
		}
	}
	return distinct(jobs), nil
}

func newJob(cells []Cell, expected func(Cell) float64) Job {
	var j Job
	var keys []string
	for _, c := range cells {
		if !slices.Contains(j.Entries, c.Entry.Name) {
			j.Entries = append(j.Entries, c.Entry.Name)
			keys = append(keys, c.Entry.Digest())
		}
		j.Cells = append(j.Cells, c.ID().String())
		j.Seconds += expected(c)
	}
	j.Name, j.Key = jobName(j.Entries[0]), strings.Join(keys, "-")
	if len(keys) > 1 {
		j.Key = digestOf(keys)
	}
	return j
}

var odd = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// jobName leaves what every artifact store takes.
func jobName(entry string) string { return strings.Trim(odd.ReplaceAllString(entry, "-"), "-.") }

// distinct numbers jobs whose names came out the same.
func distinct(jobs []Job) []Job {
	seen := map[string]int{}
	for i := range jobs {
		name := jobs[i].Name
		if seen[name]++; seen[name] > 1 {
			jobs[i].Name += "-" + strconv.Itoa(seen[name])
		}
	}
	return jobs
}

func byEntry(cells []Cell) [][]Cell {
	var groups [][]Cell
	at := map[string]int{}
	for _, c := range cells {
		i, ok := at[c.Entry.Name]
		if !ok {
			i = len(groups)
			at[c.Entry.Name] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// balance puts the longest piece on the job that has least, until all are placed. Pieces are entries, and what a
// too long entry is divided into.
func balance(groups [][]Cell, shards int, expected func(Cell) float64) [][]Cell {
	weigh := func(cells []Cell) (seconds float64) {
		for _, c := range cells {
			seconds += expected(c)
		}
		return seconds
	}
	total, order := 0.0, map[string]int{}
	for _, g := range groups {
		total += weigh(g)
		for _, c := range g {
			order[c.ID().String()] = len(order)
		}
	}
	var pieces [][]Cell
	for _, g := range groups {
		pieces = append(pieces, divide(g, total/float64(shards), expected)...)
	}
	for len(pieces) < shards { // fewer pieces than jobs: divide the longest that can be
		slices.SortStableFunc(pieces, func(a, b []Cell) int { return cmp.Compare(weigh(b), weigh(a)) })
		i := slices.IndexFunc(pieces, func(p []Cell) bool { return len(p) > 1 })
		if i < 0 {
			break
		}
		half := len(pieces[i]) / 2
		pieces = append(pieces, pieces[i][half:])
		pieces[i] = pieces[i][:half]
	}
	slices.SortStableFunc(pieces, func(a, b []Cell) int { return cmp.Compare(weigh(b), weigh(a)) })
	jobs := make([][]Cell, min(shards, len(pieces)))
	for _, p := range pieces {
		least := 0
		for i := range jobs {
			if weigh(jobs[i]) < weigh(jobs[least]) || weigh(jobs[i]) == weigh(jobs[least]) && len(jobs[i]) < len(jobs[least]) {
				least = i
			}
		}
		jobs[least] = append(jobs[least], p...)
	}
	for _, j := range jobs {
		slices.SortStableFunc(j, func(a, b Cell) int { return order[a.ID().String()] - order[b.ID().String()] })
	}
	return jobs
}

// divide cuts a group into pieces of at most a fair share; a single cell stays whole.
func divide(cells []Cell, share float64, expected func(Cell) float64) [][]Cell {
	var pieces [][]Cell
	room := -1.0
	for _, c := range cells {
		if room < expected(c) {
			pieces = append(pieces, nil)
			room = share
		}
		last := len(pieces) - 1
		pieces[last] = append(pieces[last], c)
		room -= expected(c)
	}
	return pieces
}
