package page

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/report"
)

var (
	update    = flag.Bool("update", false, "take the pictures of the README anew")
	runFolder = flag.String("of", "", "folder of a run whose page is opened")
)

const streams = "../report/testdata"

// recorded folds one of report's recorded streams.
func recorded(t testing.TB, name string) *report.Run {
	t.Helper()
	f, err := os.Open(filepath.Join(streams, name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := report.ReadEvents(f)
	if err != nil {
		t.Fatal(err)
	}
	return report.Fold(events)
}

// joined puts recorded runs side by side, for a page that has some of everything. Of cells that several have, the
// first counts.
func joined(t testing.TB, names ...string) *report.Run {
	t.Helper()
	var all *report.Run
	seen := map[report.CellID]bool{}
	for _, name := range names {
		run := recorded(t, name)
		if all == nil {
			whole := *run
			whole.Cells, all = nil, &whole
		}
		for _, c := range run.Cells {
			if !seen[c.ID] {
				seen[c.ID] = true
				all.Cells = append(all.Cells, c)
			}
		}
	}
	all.Status = report.RunComplete
	return all
}

func write(t testing.TB, in Input) (path string, text []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, b.Bytes()
}

// everyStream names the recorded streams that are whole.
func everyStream(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(streams, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no streams: %v", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".jsonl"))
	}
	return names
}

func TestEveryStreamHasAPage(t *testing.T) {
	for _, name := range everyStream(t) {
		run := recorded(t, name)
		_, first := write(t, Input{Run: run})
		_, second := write(t, Input{Run: run})
		if !bytes.Equal(first, second) {
			t.Errorf("%s: the page is not a function of the run", name)
		}
		for i := range run.Cells {
			if !bytes.Contains(first, []byte(fmt.Sprintf(`id="cell-%d"`, i))) {
				t.Errorf("%s: cell %s is not on the page", name, run.Cells[i].ID)
			}
		}
	}
	_, empty := write(t, Input{Run: report.Fold(nil)})
	if len(empty) == 0 {
		t.Error("an empty run has no page")
	}
}

// What a server or a tool wrote stands on the page as text: no element of it, no attribute, no end of the data.
func TestPageEscapes(t *testing.T) {
	const evil = `</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"'<!--`
	run := recorded(t, "markup")
	c := &run.Cells[0]
	c.ID.Entry, c.Server, c.ID.Tool, c.ID.Version = "mysql-"+evil, report.Server{Version: evil}, "tool", evil
	c.Specs[0].Text, c.Specs[0].Evidence = evil, "evidence/x"
	c.Specs[0].Measurements = []report.Measurement{{Name: evil, Unit: evil, Value: 3}}
	c.Specs[0].Expectation = &report.Expectation{Error: evil, Link: "javascript:alert(1)", Note: evil}
	run.Notes = []report.Note{{Text: evil}}
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "evidence/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "evidence/x/primary.error.log"), []byte(evil), 0o644); err != nil {
		t.Fatal(err)
	}
	_, text := write(t, Input{Run: run, Folders: []string{folder}, Base: run})
	if n := bytes.Count(text, []byte("<script")); n != 2 {
		t.Errorf("%d script elements, want the data and the script", n)
	}
	for _, bad := range []string{"<img", "onerror=alert(1)>", "<!--", "href=\"javascript"} {
		if bytes.Contains(text, []byte(bad)) {
			t.Errorf("the page has %s", bad)
		}
	}
}

// A run.json may say anything of where its evidence lies.
func TestEvidenceStaysInTheFolder(t *testing.T) {
	run := recorded(t, "failing")
	outside := t.TempDir()
	folder := filepath.Join(outside, "run")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret.log"), []byte("this is a secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for _, evil := range []string{"..", "../.", outside, "link", "evidence/../.."} {
		for i := range run.Cells[0].Specs {
			run.Cells[0].Specs[i].Evidence = evil
		}
		var b bytes.Buffer
		err := Write(&b, Input{Run: run, Folders: []string{folder}})
		if strings.Contains(b.String(), "this is a secret") {
			t.Errorf("evidence %q: the page has a file from outside the folder (%v)", evil, err)
		}
	}
}

// entries and specs are the size of a big matrix: that of every server line there is, and upstream's own tests.
const (
	manyEntries = 30
	manySpecs   = 400
	pageLimit   = 5_000_000
)

// many is a run of many entries, made of the cells that were recorded: each entry has all the recorded cells' specs,
// again and again, with their errors and measurements.
func many(t testing.TB) *report.Run {
	t.Helper()
	source := joined(t, "passing", "failing", "known", "crashed", "markup")
	run := *source
	run.Cells = nil
	for e := range manyEntries {
		specs := 0
		for i := 0; specs < manySpecs; i++ {
			c := source.Cells[i%len(source.Cells)]
			round := i / len(source.Cells)
			c.ID.Entry = fmt.Sprintf("%s-%d.%d", []string{"mysql", "mariadb", "percona"}[e%3], 5+e/6, e)
			c.ID.Version += fmt.Sprintf("-%d", i)
			c.Specs = append([]report.Spec(nil), c.Specs...)
			for len(c.Specs) < 20 {
				c.Specs = append(c.Specs, c.Specs...)
			}
			c.Specs = c.Specs[:min(20, manySpecs-specs)]
			for j := range c.Specs {
				s := &c.Specs[j]
				s.Text = fmt.Sprintf("%s, variation %d of %d", s.Text, j, round)
				if s.Failure != "" {
					s.Error = fmt.Sprintf("entry %d, spec %d\n%s", e, specs+j, s.Error) // no two alike
					s.Failure = report.FailureID(c.ID, s.Text)
				}
			}
			specs += len(c.Specs)
			c.Total = len(c.Specs)
			run.Cells = append(run.Cells, c)
		}
	}
	return &run
}

func TestBigPage(t *testing.T) {
	run := many(t)
	path, text := write(t, Input{Run: run})
	specs, broken := 0, 0
	for i := range run.Cells {
		specs += len(run.Cells[i].Specs)
		for j := range run.Cells[i].Specs {
			if run.Cells[i].Specs[j].Failure != "" {
				broken++
			}
		}
	}
	if specs != manyEntries*manySpecs {
		t.Fatalf("%d specs, want %d", specs, manyEntries*manySpecs)
	}
	t.Logf("%d entries, %d cells, %d specs, %d of them broken: %d bytes", manyEntries, len(run.Cells), specs, broken, len(text))
	if len(text) > pageLimit {
		t.Errorf("%d bytes, more than %d", len(text), pageLimit)
	}
	b := openBrowser(t)
	b.open(path) // once for what a browser does only at its start
	b.open(path)
	t.Logf("loaded and drawn in %v ms, by the browser's own clock", b.eval(`(document.body.offsetHeight, performance.now().toFixed())`))
	b.is(`document.querySelectorAll("#grid tbody tr").length`, manyEntries)
	if bad := b.complaints(); bad != "" {
		t.Error(bad)
	}
}

// What nobody has declared keeps its words however many declared failures there are beside it.
func TestDeclaredFailuresMakeRoom(t *testing.T) {
	const declared, words = 3000, 10_000
	c := report.Cell{ID: report.CellID{Entry: "mysql-9.7", Suite: "migration", Tool: "gh-ost", Version: "v1.1.10"}}
	for i := range declared {
		c.Specs = append(c.Specs, report.Spec{Text: fmt.Sprintf("spec %d", i), Outcome: report.Outcome{Verdict: report.VerdictKnown, Failure: fmt.Sprint(i),
			Error: fmt.Sprintf("%d %s", i, strings.Repeat("known ", 500)), Expectation: &report.Expectation{Error: "known"}, Evidence: "known"}})
	}
	c.Specs = append(c.Specs, report.Spec{Text: "new", Outcome: report.Outcome{Verdict: report.VerdictFailed, Failure: "new",
		Error: strings.Repeat("x", words), Evidence: "new"}})
	folder := t.TempDir()
	for _, name := range []string{"known", "new"} {
		if err := errors.Join(os.Mkdir(filepath.Join(folder, name), 0o755),
			os.WriteFile(filepath.Join(folder, name, "error.log"), []byte(strings.Repeat(name, words/len(name))), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := newData(Input{Run: &report.Run{Cells: []report.Cell{c}}, Folders: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	specs := d.Cells[0].Specs
	last := specs[declared]
	if len(d.Texts[*last.Error]) != words || len(last.Files) != 1 || len(d.Texts[last.Files[0].Text]) < words-len("new") {
		t.Errorf("the undeclared failure has %d bytes of its error, and the files %v", len(d.Texts[*last.Error]), last.Files)
	}
	for i, want := range []int{1, 1, 1, 0, 0} {
		if len(specs[i].Files) != want {
			t.Errorf("declared failure %d has %d files, want %d", i+1, len(specs[i].Files), want)
		}
	}
	total := 0
	for _, text := range d.Texts {
		total += len(text)
	}
	if total > textBudget+declared*len("spec 1000") || !strings.Contains(d.Cut, fmt.Sprint(declared-shownAlike)) {
		t.Errorf("%d bytes of text; the page says %q", total, d.Cut)
	}
}

// However many failures nobody has declared, and however many files each has, the page can be opened; what is not on it
// is counted.
func TestManyFailuresHaveAPage(t *testing.T) {
	const failures, files, bytesOfFile = 3000, 9, 300
	folder := t.TempDir()
	c := report.Cell{ID: report.CellID{Entry: "mysql-9.7", Suite: "migration", Tool: "gh-ost", Version: "v1.1.10"}, Total: failures,
		Outcome: report.Outcome{State: report.StateFinished, Verdict: report.VerdictFailed}}
	for i := range failures {
		evidence := fmt.Sprintf("evidence/%d", i)
		if err := os.MkdirAll(filepath.Join(folder, evidence), 0o755); err != nil {
			t.Fatal(err)
		}
		for j := range files {
			text := fmt.Sprintf("%0*d", bytesOfFile, i*files+j)
			if err := os.WriteFile(filepath.Join(folder, evidence, fmt.Sprintf("node%d.error.log", j)), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		spec := fmt.Sprintf("gh-ost: changes table %d", i)
		c.Specs = append(c.Specs, report.Spec{Text: spec, Outcome: report.Outcome{State: report.StateFinished, Verdict: report.VerdictFailed,
			Failure: report.FailureID(c.ID, spec), Evidence: evidence, Repro: "bin/matrix run --entry mysql-9.7 --focus '^" + spec + "$'",
			Error: fmt.Sprintf("%d: %s", i, strings.Repeat("this is the error ", 40))}})
	}
	run := &report.Run{Version: report.Version, Status: report.RunComplete, Cells: []report.Cell{c}}
	_, text := write(t, Input{Run: run, Folders: []string{folder}})
	if len(text) > pageLimit {
		t.Errorf("%d bytes, more than %d", len(text), pageLimit)
	}
	d, err := newData(Input{Run: run, Folders: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	total, without := 0, 0
	for _, text := range d.Texts {
		total += len(text)
	}
	for _, s := range d.Cells[0].Specs {
		if len(s.Files) == 0 {
			without++
		}
	}
	if limit := textBudget + failures*len("gh-ost: changes table 1000"); total > limit {
		t.Errorf("%d bytes of text, more than %d", total, limit)
	}
	if without == 0 || without == failures || !strings.Contains(d.Cut, fmt.Sprintf("that of %d failures", without)) {
		t.Errorf("%d failures are without files; the page says %q", without, d.Cut)
	}
}

// A failure with more files than are shown says how many those are.
func TestMoreFilesAreCounted(t *testing.T) {
	run := recorded(t, "failing")
	folder := t.TempDir()
	for i := range filesOfFailure + 5 {
		path := filepath.Join(folder, "x", fmt.Sprintf("%02d.log", i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("text"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	run.Cells[0].Specs[0].Evidence = "x"
	d, err := newData(Input{Run: run, Folders: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Cells[0].Specs[0]; len(s.Files) != filesOfFailure || s.MoreFiles != 5 {
		t.Errorf("%d files, and %d more", len(s.Files), s.MoreFiles)
	}
}

// Against an earlier run, the page names what is gone, and marks as new a cell that broke as a whole.
func TestPageAgainstABase(t *testing.T) {
	base, now := measured(), measured()
	id := now.Cells[0].ID
	now.Cells[0].Specs, now.Cells[0].Verdict, now.Cells[0].Error = nil, report.VerdictErrored, "crashed"
	now.Cells[0].Failure = report.FailureID(id, "")
	_, text := write(t, Input{Run: now, Base: base})
	for _, want := range []string{`<strong class="new">1 new</strong>`, "1 newly failing", "1 specs gone from cells", id.String() + ": changes a table (passed)"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
