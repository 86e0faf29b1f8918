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
// by the seconds that expected gives. An entry's cells stay together where that leaves the jobs even, since each job
// obtains the servers of its entries. A plan of more than MaxJobs is refused.
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

// uneven is how much more than a fair share the longest job may have before an entry is divided: its servers are
// obtained twice then.
const uneven = 1.2

// balance spreads entries over jobs. While the longest job has too much, or there are fewer pieces than jobs, the
// longest piece that can be divided is.
func balance(pieces [][]Cell, shards int, expected func(Cell) float64) [][]Cell {
	seconds, order := map[string]float64{}, map[string]int{}
	total, heaviest := 0.0, 0.0
	for _, c := range slices.Concat(pieces...) {
		id := c.ID().String()
		seconds[id], order[id] = expected(c), len(order)
		total, heaviest = total+seconds[id], max(heaviest, seconds[id])
	}
	weigh := func(cells []Cell) (sum float64) {
		for _, c := range cells {
			sum += seconds[c.ID().String()]
		}
		return sum
	}
	longestFirst := func(a, b []Cell) int { return cmp.Compare(weigh(b), weigh(a)) }
	limit := max(uneven*total/float64(shards), heaviest)
	for {
		slices.SortStableFunc(pieces, longestFirst)
		jobs := spread(pieces, shards, weigh)
		i := slices.IndexFunc(pieces, func(p []Cell) bool { return len(p) > 1 })
		if even := len(jobs) == shards && weigh(slices.MinFunc(jobs, longestFirst)) <= limit; even || i < 0 {
			for _, j := range jobs {
				slices.SortStableFunc(j, func(a, b Cell) int { return order[a.ID().String()] - order[b.ID().String()] })
			}
			return jobs
		}
		half := halfway(pieces[i], weigh)
		pieces = append(pieces, pieces[i][half:])
		pieces[i] = pieces[i][:half]
	}
}

// spread puts piece after piece on the job that has least.
func spread(pieces [][]Cell, shards int, weigh func([]Cell) float64) [][]Cell {
	jobs := make([][]Cell, min(shards, len(pieces)))
	loads := make([]float64, len(jobs))
	for _, p := range pieces {
		least := 0
		for i := range jobs {
			if loads[i] < loads[least] || loads[i] == loads[least] && len(jobs[i]) < len(jobs[least]) {
				least = i
			}
		}
		jobs[least] = append(jobs[least], p...)
		loads[least] += weigh(p)
	}
	return jobs
}

// halfway is where cells, two at least, are divided into parts that take about as long.
func halfway(cells []Cell, weigh func([]Cell) float64) int {
	half := 1
	for half < len(cells)-1 && weigh(cells[:half+1]) <= weigh(cells)/2 {
		half++
	}
	return half
}
