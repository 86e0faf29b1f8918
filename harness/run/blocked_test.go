package run

import (
	"slices"
	"testing"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/report"
)

func specsOf(texts ...string) (specs []cell.Spec) {
	for _, text := range texts {
		specs = append(specs, cell.Spec{Text: text})
	}
	return specs
}

// The first spec is always in the sample; the others are the seed's, the same for one seed and cell.
func TestSampleOfABlockedCell(t *testing.T) {
	specs := specsOf("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	id := report.CellID{Entry: "mysql-9.7", Suite: "migration", Tool: "gh-ost", Version: "v1.1.6"}
	samples := map[string]bool{}
	for seed := range int64(20) {
		sample, rest := draw(specs, sampled, seed, id)
		again, _ := draw(specs, sampled, seed, id)
		if len(sample) != sampled+1 || len(sample)+len(rest) != len(specs) || sample[0].Text != "a" {
			t.Fatalf("seed %d: %v and %v", seed, sample, rest)
		}
		text := ""
		for i, s := range sample {
			if text += s.Text; s.Text != again[i].Text {
				t.Errorf("seed %d draws otherwise the second time", seed)
			}
			if slices.ContainsFunc(rest, func(o cell.Spec) bool { return o.Text == s.Text }) {
				t.Errorf("seed %d: %s is in both parts", seed, s.Text)
			}
		}
		samples[text] = true
	}
	if len(samples) < 5 {
		t.Errorf("20 seeds draw %d samples", len(samples))
	}
	if sample, rest := draw(specs[:4], sampled, 1, id); len(sample) != 4 || rest != nil {
		t.Errorf("of four specs %v run, and %v do not", sample, rest)
	}
}

func TestAllKnown(t *testing.T) {
	const K, P, F, U = report.VerdictKnown, report.VerdictPassed, report.VerdictFailed, report.VerdictUnsupported
	for _, c := range []struct {
		verdicts []report.Verdict
		want     bool
	}{
		{[]report.Verdict{K, K, K}, true}, {[]report.Verdict{K, U, K}, true}, {[]report.Verdict{U, U, U}, false},
		{[]report.Verdict{K, P, K}, false}, {[]report.Verdict{K, F, K}, false}, {[]report.Verdict{K, report.VerdictFixed, K}, false},
		{[]report.Verdict{K, report.VerdictUnknown, K}, false}, {[]report.Verdict{K, report.VerdictErrored, K}, false},
	} {
		w, specs := &work{}, specsOf("a", "b", "c")
		for i, v := range c.verdicts {
			w.note(specs[i].Text, v)
		}
		if got := w.allKnown(specs); got != c.want {
			t.Errorf("%v: %v, want %v", c.verdicts, got, c.want)
		}
	}
}

// Only what the declaration speaks of is left out, and only on the servers that it speaks of.
func TestBlockedSpecs(t *testing.T) {
	r, c := declaredRun(t)
	for server, want := range map[string]int{"10.5.29-MariaDB Debian": 2, "11.8.9-MariaDB Debian": 0} {
		w := &work{cell: c, server: report.ParseServer(server), specs: specsOf("late", "oracle", "start")}
		blocked, others, err := r.blocked(w)
		if err != nil || len(blocked) != want || len(blocked)+len(others) != 3 || slices.ContainsFunc(blocked, func(s cell.Spec) bool { return s.Text == "oracle" }) {
			t.Errorf("on %s: %v, %v, %v", server, blocked, others, err)
		}
	}
	e := r.unrun(&work{cell: c, server: report.ParseServer("10.5.29-MariaDB Debian")}, cell.Spec{Text: "late"}, 4)
	e.Time = report.Event{}.Time.AddDate(2026, 0, 0)
	if err := e.Validate(); err != nil || !e.NotRun || e.Expectation == nil || !e.Expectation.Blocks || e.Reason == "" {
		t.Errorf("%+v, %v", e, err)
	}
}
