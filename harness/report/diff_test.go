package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// versioned is a run of one cell with a spec for each verdict, each of which took as long as seconds says.
func versioned(tool string, verdicts []Verdict, seconds func(i int) float64) *Run {
	name, version, _ := strings.Cut(tool, "@")
	c := Cell{ID: CellID{Entry: "mariadb-10.11", Suite: "migration", Tool: name, Version: version}, Outcome: Outcome{State: StateFinished}}
	for i, v := range verdicts {
		c.Specs = append(c.Specs, Spec{Text: "spec " + string(rune('a'+i)), Outcome: Outcome{State: StateFinished, Verdict: v, Seconds: Seconds(seconds(i)), Error: v.String()}})
		c.Verdict = Worst(c.Verdict, v)
	}
	c.Total = len(c.Specs)
	return &Run{Version: Version, Status: RunComplete, Cells: []Cell{c}}
}

func TestCompare(t *testing.T) {
	const P, F, K, X, V, L, U = VerdictPassed, VerdictFailed, VerdictKnown, VerdictFixed, VerdictVacuous, VerdictFlaky, VerdictUnsupported
	same := func(int) float64 { return 3 }
	for _, c := range []struct {
		old, new              []Verdict
		failing, fixed, other int
		regressed             bool
	}{
		{[]Verdict{P, P}, []Verdict{P, F}, 1, 0, 0, true},
		{[]Verdict{P, P}, []Verdict{P, K}, 1, 0, 0, true}, // declared, and yet it worked before
		{[]Verdict{F, K}, []Verdict{P, X}, 0, 2, 0, false},
		{[]Verdict{F, K}, []Verdict{K, F}, 0, 0, 0, false}, // broken before, broken now
		{[]Verdict{P, P}, []Verdict{V, L}, 0, 0, 2, false},
		{[]Verdict{U, P}, []Verdict{F, P}, 1, 0, 0, false}, // it never worked there
		{[]Verdict{P}, []Verdict{P, F}, 1, 0, 0, false},    // a new spec
		{[]Verdict{P, P}, []Verdict{P, P}, 0, 0, 0, false},
	} {
		// Two versions of one tool are compared with each other.
		d := Compare(versioned("gh-ost@v1", c.old, same), versioned("gh-ost@v2", c.new, same))
		if len(d.Failing) != c.failing || len(d.Fixed) != c.fixed || len(d.Other) != c.other || d.Regressed() != c.regressed || len(d.New)+len(d.Gone) != 0 {
			t.Errorf("%v to %v: %+v", c.old, c.new, d)
		}
		if len(d.Tools) != 1 || d.Tools[0] != (ToolChange{"gh-ost@v1", "gh-ost@v2"}) {
			t.Errorf("compared %v", d.Tools)
		}
		var b bytes.Buffer
		if err := WriteDiff(&b, d, Options{}); err != nil || b.Len() == 0 {
			t.Errorf("%v, %d bytes", err, b.Len())
		}
		if text, err := json.Marshal(d); err != nil || !strings.Contains(string(text), `"failing":`) {
			t.Errorf("%s, %v", text, err)
		}
	}
	// Two tools are never taken for two versions.
	d := Compare(versioned("gh-ost@v1", []Verdict{P}, same), versioned("pt@1", []Verdict{F}, same))
	if len(d.New) != 1 || len(d.Gone) != 1 || d.Regressed() || !d.NewIDs()[FailureID(d.New[0], "spec a")] {
		t.Errorf("got %+v", d)
	}
}

func TestCompareDeclaredRaces(t *testing.T) {
	const P, F, K = VerdictPassed, VerdictFailed, VerdictKnown
	for _, c := range []struct {
		old, new              Verdict
		failing, fixed, other int
		regressed             bool
	}{
		{P, K, 0, 0, 1, false},
		{K, P, 0, 0, 1, false},
		{K, K, 0, 0, 0, false},
		{P, F, 1, 0, 0, true},  // not as declared
		{F, K, 0, 0, 0, false}, // broken before
		{F, P, 0, 1, 0, false},
	} {
		sometimes := func(v Verdict) *Run {
			r := versioned("gh-ost@v1", []Verdict{v}, func(int) float64 { return 3 })
			if v == K {
				r.Cells[0].Specs[0].Expectation = &Expectation{Error: "known", Sometimes: true}
			}
			return r
		}
		d := Compare(sometimes(c.old), sometimes(c.new))
		if len(d.Failing) != c.failing || len(d.Fixed) != c.fixed || len(d.Other) != c.other || d.Regressed() != c.regressed {
			t.Errorf("%v to %v: %+v", c.old, c.new, d)
		}
	}
}

func TestSlowerBeyondNoise(t *testing.T) {
	verdicts := make([]Verdict, 12)
	for i := range verdicts {
		verdicts[i] = VerdictPassed
	}
	slower := func(seconds func(i int) float64) []Slowdown {
		return Compare(versioned("t@1", verdicts, func(i int) float64 { return 2 + float64(i) }), versioned("t@1", verdicts, seconds)).Slower
	}
	if got := slower(func(i int) float64 { return 3 * (2 + float64(i)) }); len(got) != 0 {
		t.Errorf("a slower machine is taken for slower specs: %v", got)
	}
	noisy := func(i int) float64 { return (2 + float64(i)) * []float64{0.8, 1, 1.3}[i%3] }
	if got := slower(noisy); len(got) != 0 {
		t.Errorf("noise is taken for slower specs: %v", got)
	}
	got := slower(func(i int) float64 {
		if i == 5 {
			return 4 * (2 + float64(i))
		}
		return noisy(i)
	})
	if len(got) != 1 || got[0].Spec != "spec f" {
		t.Errorf("the one that is slower is not found: %v", got)
	}
	stat := func(unit string, v ...float64) Statistic {
		return Statistic{Unit: unit, N: len(v), Median: v[len(v)/2], Min: v[0], Max: v[len(v)-1]}
	}
	for _, c := range []struct {
		old, new Statistic
		want     bool
	}{
		{stat("ms", 10, 11, 12), stat("ms", 20, 22, 30), true},
		{stat("ms", 10, 11, 25), stat("ms", 20, 22, 30), false}, // they overlap
		{stat("ms", 20, 22, 30), stat("ms", 10, 11, 12), false}, // faster
		{stat("ms", 10), stat("ms", 15), false},                 // too few for so little
		{stat("ms", 10), stat("ms", 25), true},
		{stat("rows/s", 1000, 1100, 1200), stat("rows/s", 500, 600, 700), true},
		{stat("rows/s", 500, 600, 700), stat("rows/s", 1000, 1100, 1200), false},
		{stat("", 0, 0, 0), stat("", 5, 5, 5), false}, // a count
	} {
		if worse(c.old, c.new) != c.want {
			t.Errorf("%+v to %+v: want %v", c.old, c.new, c.want)
		}
	}
}

// A cell that was broken in part, or that was cut off, may end such that no spec of it is left to compare.
func TestCompareWholeCells(t *testing.T) {
	const P, F, K, E, T, N = VerdictPassed, VerdictFailed, VerdictKnown, VerdictErrored, VerdictTimedOut, VerdictUnavailable
	same := func(int) float64 { return 3 }
	whole := func(v Verdict, specs ...Verdict) *Run { // the runner says it of the cell
		r := versioned("t@1", specs, same)
		c := &r.Cells[0]
		c.Verdict, c.Error = v, "the suite has crashed"
		return r
	}
	cut := func(state State, specs ...Verdict) *Run {
		r := versioned("t@1", specs, same)
		r.Status, r.Cells[0].State, r.Cells[0].Verdict = RunInterrupted, state, VerdictUnknown
		return r
	}
	known, bad := versioned("t@1", []Verdict{K, P}, same), versioned("t@1", []Verdict{K, F}, same)
	for _, c := range []struct {
		name      string
		old, new  *Run
		whole     Verdict // what the whole cell, newly failing, was before
		gone      []string
		regressed bool
	}{
		{"known in part, then errored as a whole", known, whole(E), P, []string{"spec a", "spec b"}, true},
		{"known in part, then out of time", known, whole(T, K), P, []string{"spec b"}, true},
		{"known in part, then a leak", known, whole(E, K, P), P, nil, true},
		{"nothing worked before", bad, whole(E), 0, []string{"spec a", "spec b"}, false},
		{"crashed after as much as before", whole(E, P), whole(E, P), 0, nil, false},
		{"crashed earlier than before", whole(E, P, P), whole(E, P), P, []string{"spec b"}, true},
		{"a spec is no more", known, versioned("t@1", []Verdict{K}, same), 0, []string{"spec b"}, false},
		{"cut off before it", known, cut(StateInterrupted, K), 0, []string{"spec b"}, true},
		{"cut off before what was broken", bad, cut(StateInterrupted, K), 0, []string{"spec b"}, false},
		{"never begun", known, cut(StatePending), 0, []string{"spec a", "spec b"}, true},
		{"not obtainable", known, whole(N), 0, nil, false},
	} {
		d := Compare(c.old, c.new)
		var gone []string
		for _, g := range d.GoneSpecs {
			gone = append(gone, g.Spec)
		}
		before := VerdictUnknown
		i := slices.IndexFunc(d.Failing, func(f Change) bool { return f.Spec == "" })
		if i >= 0 {
			before = d.Failing[i].Old
		}
		if before != c.whole || (i >= 0) != d.NewIDs()[FailureID(c.new.Cells[0].ID, "")] || !slices.Equal(gone, c.gone) || d.Regressed() != c.regressed {
			t.Errorf("%s: was %v, gone %q, regressed %v: %+v", c.name, before, gone, d.Regressed(), d)
		}
		var b strings.Builder
		if err := WriteDiff(&b, d, Options{}); err != nil || strings.Contains(b.String(), "nothing changed") != (c.name == "crashed after as much as before") {
			t.Errorf("%s: %v\n%s", c.name, err, b.String())
		}
		for _, spec := range c.gone {
			if !strings.Contains(b.String(), "  "+spec+"\n") || !strings.Contains(b.String(), "Gone specs (") {
				t.Errorf("%s: %s is not named:\n%s", c.name, spec, b.String())
			}
		}
	}
}
