package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"mysqlmatrix/harness/report"
)

// unknownSeconds is how long a cell is expected to take of whose like nothing is recorded.
const unknownSeconds = 60

// Durations are how long cells took, in seconds.
type Durations map[report.CellID]float64

// DurationsOf are those of a run's cells that came to their end; one that was unavailable would be no measure.
func DurationsOf(r *report.Run) Durations {
	d := Durations{}
	for i := range r.Cells {
		if c := &r.Cells[i]; c.State == report.StateFinished && c.Verdict != report.VerdictErrored && len(c.Specs) > 0 {
			d[c.ID] = math.Ceil(float64(c.Seconds))
		}
	}
	return d
}

// Expected is how long a cell will take: as recorded; else the median of the same suite and tool on other entries, of the
// same version where that was recorded; else unknownSeconds.
func (d Durations) Expected(c Cell) float64 {
	want := c.ID()
	if seconds, ok := d[want]; ok {
		return seconds
	}
	for _, alike := range []func(report.CellID) bool{
		func(id report.CellID) bool {
			return id.Suite == want.Suite && id.Tool == want.Tool && id.Version == want.Version
		},
		func(id report.CellID) bool { return id.Suite == want.Suite && id.Tool == want.Tool },
	} {
		var like []float64
		for id, seconds := range d {
			if alike(id) {
				like = append(like, seconds)
			}
		}
		if len(like) > 0 {
			slices.Sort(like)
			return like[len(like)/2]
		}
	}
	return unknownSeconds
}

// Total is how long cells will take when so many of them run at once, the longest first, in seconds. Cells of entries of
// which nothing is recorded are left out: servers that have never been had are not had today. They are counted.
func (d Durations) Total(cells []Cell, jobs int) (seconds float64, left int) {
	recorded := map[string]bool{}
	for id := range d {
		recorded[id.Entry] = true
	}
	var each []float64
	for _, c := range cells {
		if recorded[c.Entry.Name] {
			each = append(each, d.Expected(c))
		} else {
			left++
		}
	}
	slices.Sort(each)
	ends := make([]float64, max(1, jobs))
	for _, one := range slices.Backward(each) {
		first := slices.Index(ends, slices.Min(ends))
		ends[first] += one
	}
	return slices.Max(ends), left
}

// Add takes in others, which count more than what was there.
func (d Durations) Add(others Durations) { maps.Copy(d, others) }

// MarshalJSON writes an object of cells' names.
func (d Durations) MarshalJSON() ([]byte, error) {
	named := map[string]float64{}
	for id, seconds := range d {
		named[id.String()] = seconds
	}
	return json.Marshal(named)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Durations) UnmarshalJSON(text []byte) error {
	var named map[string]float64
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	*d = Durations{}
	for name, seconds := range named {
		id, err := report.ParseCellID(name)
		if err != nil {
			return fmt.Errorf("durations: %w", err)
		}
		(*d)[id] = seconds
	}
	return nil
}
