package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of a JUnit file, in the order that its readers (Jenkins' and Ant's schemas) want.
type (
	xmlSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Time     string     `xml:"time,attr"`
		Suites   []xmlSuite `xml:"testsuite"`
	}
	xmlSuite struct {
		Name       string         `xml:"name,attr"`
		Tests      int            `xml:"tests,attr"`
		Failures   int            `xml:"failures,attr"`
		Errors     int            `xml:"errors,attr"`
		Skipped    int            `xml:"skipped,attr"`
		Time       string         `xml:"time,attr"`
		Timestamp  string         `xml:"timestamp,attr,omitempty"`
		Properties *xmlProperties `xml:"properties"`
		Cases      []xmlCase      `xml:"testcase"`
	}
	xmlProperties struct {
		Properties []xmlProperty `xml:"property"`
	}
	xmlProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	xmlCase struct {
		Class   string     `xml:"classname,attr"`
		Name    string     `xml:"name,attr"`
		Time    string     `xml:"time,attr"`
		Skipped *xmlResult `xml:"skipped"`
		Error   *xmlResult `xml:"error"`
		Failure *xmlResult `xml:"failure"`
		Out     *xmlText   `xml:"system-out"`
	}
	xmlText struct {
		Text string `xml:",cdata"`
	}
	xmlResult struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",cdata"`
	}
)

// These bound an error in junit.xml, which some readers keep in memory whole; run.json and the evidence have all of it.
const (
	junitLines = 500
	junitBytes = 64 << 10
)

// junitError is the beginning of an error, within the bounds.
func junitError(why string) string {
	text := strings.Join(excerpt(why, junitLines, 0, false), "\n")
	if len(text) <= junitBytes {
		return text
	}
	return strings.ToValidUTF8(text[:junitBytes], "") + fmt.Sprintf("\n… %d bytes more are in run.json", len(text)-junitBytes)
}

// WriteJUnit writes junit.xml: a testsuite for each cell, a testcase for each spec, and one more, named "cell", where
// something is to be said of the cell as a whole. failed and fixed are failures; errored and timed-out are errors;
// known, flaky, vacuous, unsupported, unavailable and what an interrupt kept from ending are skipped.
func WriteJUnit(w io.Writer, run *Run) error {
	all := xmlSuites{Name: "matrix", Time: junitTime(run.Seconds)}
	for i := range run.Cells {
		s := junitSuite(&run.Cells[i])
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write junit.xml: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("write junit.xml: %w", err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("write junit.xml: %w", err)
	}
	return nil
}

func junitSuite(c *Cell) xmlSuite {
	s := xmlSuite{Name: OneLine(c.ID.String()), Time: junitTime(c.Seconds)}
	if !c.Started.IsZero() {
		s.Timestamp = c.Started.UTC().Format("2006-01-02T15:04:05")
	}
	var props []xmlProperty
	prop := func(name, value string) {
		if value != "" {
			props = append(props, xmlProperty{name, OneLine(value)})
		}
	}
	prop("entry", c.ID.Entry)
	prop("suite", c.ID.Suite)
	prop("tool", c.ID.ToolID())
	prop("server", c.Server.String())
	prop("tool-version", c.ToolVersion)
	if c.Seed != 0 {
		prop("seed", fmt.Sprint(c.Seed))
	}
	s.Properties = &xmlProperties{props}
	for i := range c.Specs {
		s.add(junitCase(c, c.Specs[i].Text, &c.Specs[i].Outcome))
	}
	if c.State != StateFinished || c.Verdict != VerdictPassed && c.beyondSpecs() {
		s.add(junitCase(c, "cell", &c.Outcome))
	}
	return s
}

func (s *xmlSuite) add(tc xmlCase) {
	s.Tests++
	switch {
	case tc.Failure != nil:
		s.Failures++
	case tc.Error != nil:
		s.Errors++
	case tc.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, tc)
}

func junitCase(c *Cell, name string, o *Outcome) xmlCase {
	tc := xmlCase{Class: OneLine(c.ID.String()), Name: OneLine(name), Time: junitTime(o.Seconds)}
	var out []string
	if o.Evidence != "" {
		out = append(out, "evidence: "+Command(o.Evidence))
	}
	if o.Repro != "" {
		out = append(out, "repro: "+Command(o.Repro))
	}
	for _, m := range o.Measurements {
		out = append(out, fmt.Sprintf("measured: %s %s", OneLine(m.Name), OneLine(Numbers(m.Value)[0]+" "+m.Unit)))
	}
	if len(out) > 0 {
		tc.Out = &xmlText{strings.Join(out, "\n")}
	}
	if o.State != StateFinished {
		tc.Skipped = &xmlResult{Message: o.State.String() + ": the run was ended early"}
		return tc
	}
	why := finding{c, name, o}.why()
	bad := &xmlResult{Message: Gist(why), Type: o.Verdict.String(), Text: junitError(why)}
	switch o.Verdict {
	case VerdictFailed, VerdictFixed:
		tc.Failure = bad
	case VerdictErrored, VerdictTimedOut:
		tc.Error = bad
	case VerdictFlaky:
		tc.Skipped = &xmlResult{Message: "flaky: " + attemptsText(o) + ": " + Gist(o.Error)}
	case VerdictKnown:
		tc.Skipped = &xmlResult{Message: "known: " + knownMessage(o)}
		if o.NotRun {
			tc.Skipped.Message = "known, not run: " + knownMessage(o)
		}
	case VerdictVacuous, VerdictUnsupported, VerdictUnavailable:
		tc.Skipped = &xmlResult{Message: o.Verdict.String() + ": " + OneLine(o.Reason)}
	}
	return tc
}

func knownMessage(o *Outcome) string {
	if o.Expectation == nil {
		return Gist(o.Error)
	}
	return strings.TrimSpace(OneLine(o.Expectation.Error) + " " + OneLine(o.Expectation.Link))
}

func junitTime(s Seconds) string {
	return fmt.Sprintf("%.3f", s.Duration().Truncate(time.Millisecond).Seconds())
}
