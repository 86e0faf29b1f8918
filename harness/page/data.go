package page

import (
	"encoding/json"
	"errors"
	"strconv"

	"mysqlmatrix/harness/report"
)

// data is what the page's script shows of a cell when it is opened. Texts that repeat are written once: a page of
// many versions has the same specs, and mostly the same words, many times over.
type data struct {
	Verdicts     []verdict            `json:"verdicts"`
	Texts        []string             `json:"texts"`
	Measured     [][2]string          `json:"measured"` // name and unit
	Expectations []report.Expectation `json:"expectations"`
	States       map[string]string    `json:"states"` // marks of cells without a verdict
	Cells        []cell               `json:"cells"`
	Cut          string               `json:"cut,omitempty"` // what was cut from evidence and errors, in words
}

type verdict struct {
	Word   string `json:"w"`
	Mark   string `json:"m"`
	Broken bool   `json:"b,omitempty"`
}

type cell struct {
	Entry   string `json:"e"`
	Suite   string `json:"s"`
	Tool    string `json:"t"`
	Server  string `json:"server,omitempty"`
	Version string `json:"version,omitempty"`
	Seed    int64  `json:"seed,omitempty"`
	Total   int    `json:"total"`
	State   string `json:"state"`
	outcome
	Specs []spec `json:"specs"`
}

type spec struct {
	Text int `json:"x"`
	outcome
}

// outcome has short names, since there are ten thousands of them.
type outcome struct {
	Verdict      int              `json:"v"` // index; 0 for none
	Seconds      float64          `json:"d"`
	Error        *int             `json:"err,omitempty"`
	Reason       string           `json:"why,omitempty"`
	Expectation  *int             `json:"exp,omitempty"`
	Repro        string           `json:"run,omitempty"`
	Failure      string           `json:"id,omitempty"`
	New          bool             `json:"new,omitempty"`
	Attribution  string           `json:"fault,omitempty"`
	Folder       string           `json:"dir,omitempty"`
	Files        []file           `json:"files,omitempty"`
	MoreFiles    int              `json:"more,omitempty"` // in the folder, and not among Files
	Measurements [][2]json.Number `json:"ms,omitempty"`   // index and exact value
	Attempts     []attempt        `json:"tries,omitempty"`
}

type attempt struct {
	Verdict int     `json:"v"`
	Seconds float64 `json:"d"`
	Error   *int    `json:"err,omitempty"`
}

// builder interns what repeats.
type builder struct {
	in           Input
	data         data
	evidence     *evidence
	broke        map[string]bool // ids of failures that Base does not have; nil without Base
	texts        map[string]int
	measured     map[[2]string]int
	expectations map[report.Expectation]int
	undeclared   longTexts // of failures that nobody has declared; they are cut last
	declared     longTexts // of the others
	alike        map[alike]int
	unshown      int // declared failures whose evidence is not on the page, since it is alike
	unread       int // failures whose evidence is not on the page, since there is too much
}

// alike are a cell's failures that one declaration explains.
type alike struct {
	cell        report.CellID
	expectation int
}

func newData(in Input) (_ data, err error) {
	b := &builder{in: in, texts: map[string]int{}, measured: map[[2]string]int{}, expectations: map[report.Expectation]int{},
		alike: map[alike]int{}, data: data{States: map[string]string{}}}
	b.data.Verdicts = []verdict{{Mark: report.VerdictUnknown.Mark(false)}}
	for _, v := range report.Verdicts() {
		b.data.Verdicts = append(b.data.Verdicts, verdict{v.String(), v.Mark(false), v.Broken() || v.Bad()})
	}
	for _, state := range unended {
		b.data.States[state.String()] = state.Mark(false)
	}
	if in.Base != nil {
		b.broke = report.Compare(in.Base, in.Run).NewIDs()
	}
	if b.evidence, err = openEvidence(in.Folders); err != nil {
		return data{}, err
	}
	defer func() { err = errors.Join(err, b.evidence.close()) }()
	for i := range in.Run.Cells {
		c, err := b.cell(&in.Run.Cells[i])
		if err != nil {
			return data{}, err
		}
		b.data.Cells = append(b.data.Cells, c)
	}
	b.fit()
	return b.data, nil
}

func (b *builder) cell(c *report.Cell) (cell, error) {
	one := cell{Entry: report.OneLine(c.ID.Entry), Suite: report.OneLine(c.ID.Suite), Tool: report.OneLine(c.ID.ToolID()),
		Server: report.OneLine(c.Server.String()), Version: report.OneLine(c.ToolVersion), Seed: c.Seed, Total: c.Total, State: c.State.String(), Specs: []spec{}}
	var err error
	if one.outcome, err = b.outcome(c, "", &c.Outcome); err != nil {
		return one, err
	}
	for i := range c.Specs {
		o, err := b.outcome(c, c.Specs[i].Text, &c.Specs[i].Outcome)
		if err != nil {
			return one, err
		}
		one.Specs = append(one.Specs, spec{b.text(report.OneLine(c.Specs[i].Text)), o})
	}
	return one, nil
}

func (b *builder) outcome(c *report.Cell, spec string, o *report.Outcome) (outcome, error) {
	long := &b.declared
	if o.Verdict.Bad() {
		long = &b.undeclared
	}
	out := outcome{Verdict: verdictIndex(o.Verdict), Seconds: float64(o.Seconds), Error: b.longError(long, o.Error), Reason: report.Neutral(o.Reason), Failure: o.Failure}
	if o.Expectation != nil {
		i := intern(b.expectations, &b.data.Expectations, *o.Expectation)
		out.Expectation = &i
	}
	for _, m := range o.Measurements {
		i := intern(b.measured, &b.data.Measured, [2]string{report.OneLine(m.Name), report.OneLine(m.Unit)})
		out.Measurements = append(out.Measurements, [2]json.Number{json.Number(strconv.Itoa(i)), json.Number(report.Exact(m.Value))})
	}
	for _, a := range o.Attempts {
		out.Attempts = append(out.Attempts, attempt{verdictIndex(a.Verdict), float64(a.Seconds), b.longError(long, a.Error)})
	}
	if o.Failure == "" {
		return out, nil
	}
	out.Repro, out.Folder = report.Command(o.Repro), report.Command(o.Evidence)
	out.New, out.Attribution = b.broke[o.Failure], b.in.Attributions[o.Failure]
	if out.Expectation != nil && o.Verdict == report.VerdictKnown {
		which := alike{c.ID, *out.Expectation}
		if b.alike[which]++; b.alike[which] > shownAlike {
			b.unshown++
			return out, nil
		}
	}
	if o.Evidence != "" && long.files >= mostFiles {
		b.unread++
		return out, nil
	}
	tails, more, err := b.evidence.read(o.Evidence)
	if err != nil {
		return out, err
	}
	for _, t := range tails {
		f := file{Name: report.OneLine(t.name), Text: b.longText(long, t.text)}
		if int64(len(t.text)) < t.size {
			f.Size = t.size
		}
		out.Files = append(out.Files, f)
	}
	out.MoreFiles, long.files = more, long.files+len(tails)
	return out, nil
}

// verdictIndex is a verdict's index in data.Verdicts.
func verdictIndex(v report.Verdict) int {
	for i, other := range report.Verdicts() {
		if v == other {
			return i + 1
		}
	}
	return 0
}

func intern[K comparable](index map[K]int, list *[]K, value K) int {
	i, ok := index[value]
	if !ok {
		i = len(*list)
		index[value] = i
		*list = append(*list, value)
	}
	return i
}
