package page

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mysqlmatrix/harness/report"
)

// pictures is where the README's lie.
const pictures = "../../fixtures"

// The page of recorded runs, in a real browser: nothing of it comes from elsewhere, a failed cell is found by filter
// and by keyboard, and the command that repeats the failure is copied.
func TestPageInBrowser(t *testing.T) {
	run := joined(t, "failing", "passing", "known", "crashed", "unavailable", "known_fixed")
	path, _ := write(t, Input{Run: run, Folders: []string{"testdata/recorded"}, Base: joined(t, "passing", "known"),
		Attributions: map[string]string{run.Cells[0].Specs[0].Failure: "the server: mariadb-11.8 passes with the same gh-ost"}})
	b := openBrowser(t)
	b.open(path)
	if bad := b.complaints(); bad != "" {
		t.Errorf("the page complains:\n%s", bad)
	}
	cells := len(run.Cells)
	b.is(`document.querySelectorAll("#grid button").length`, cells)

	// By keyboard: / to the filter, a word, back to the grid, Enter.
	b.key("/")
	b.is(`document.activeElement.id`, "f-text")
	b.call("Input.insertText", map[string]any{"text": "transaction_isolation"})
	b.is(`document.querySelectorAll("#grid button:not(.off)").length < `+`document.querySelectorAll("#grid button").length`, true)
	b.is(`document.querySelector("#shown").textContent.endsWith("of `+strconv.Itoa(cells)+` cells")`, true)
	b.eval(`document.querySelector("#grid button.v-failed:not(.off)").focus()`)
	b.key("Enter")
	b.is(`document.querySelector("#detail").hidden`, false)
	b.is(`document.querySelector("#detail h3").textContent`, "mariadb-10.11 · migration · gh-ost@local")
	b.is(`document.querySelector("#detail pre").textContent.includes("Unknown system variable 'transaction_isolation'")`, true)
	b.is(`document.querySelector("#detail").textContent.includes("mariadb-11.8 passes with the same gh-ost")`, true)

	// What the nodes said is there, as text, once it is opened.
	b.is(`[...document.querySelectorAll("#detail summary")].some(s => s.textContent.startsWith("nodes1/primary.error.log"))`, true)
	b.eval(`[...document.querySelectorAll("#detail summary")].find(s => s.textContent.startsWith("nodes1/replica1.state.txt")).click()`)
	b.until(`[...document.querySelectorAll("#detail details pre")].some(p => p.textContent.includes("binary log coordinates"))`)

	// The command is copied by a click.
	repro := run.Cells[0].Specs[0].Repro
	b.call("Browser.grantPermissions", map[string]any{"permissions": []string{"clipboardReadWrite", "clipboardSanitizedWrite"}})
	b.click("#detail .repro .copy")
	b.until(`document.querySelector("#detail .repro .copy").textContent === "copied"`)
	b.is(`navigator.clipboard.readText()`, repro)
	if !strings.HasPrefix(repro, "bin/matrix run --entry ") {
		t.Errorf("the command is %q", repro)
	}

	// By keyboard alone: to a spec that is folded, into it, and its command is copied.
	b.eval(`document.querySelector("#detail").focus()`)
	b.tabTo(`.spec:not([open]) > summary`)
	b.eval(`window.asked = document.activeElement.parentElement`)
	b.key("Enter")
	b.until(`asked.open && asked.querySelector(".copy") !== null`)
	b.tabTo(`.copy`)
	b.is(`asked.contains(document.activeElement)`, true)
	b.eval(`navigator.clipboard.writeText("something else")`)
	b.key("Enter")
	b.until(`asked.querySelector(".copy").textContent === "copied"`)
	if got := b.eval(`navigator.clipboard.readText()`); got == repro || got != b.eval(`asked.querySelector(".repro pre").textContent`) {
		t.Errorf("copied was %q", got)
	}

	// Where nothing can be copied, that is said, and the command is selected.
	b.eval(`(navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed")), document.execCommand = () => false)`)
	b.click("#detail .repro .copy")
	b.until(`document.querySelector("#detail .repro .copy").textContent === "selected: copy it yourself"`)
	b.is(`getSelection().toString().trim()`, repro)
	b.is(`document.querySelector("#said").textContent.includes("copy it yourself")`, true)

	// Escape closes the cell and goes back to it; arrows go from cell to cell.
	b.key("Escape")
	b.is(`document.querySelector("#detail").hidden`, true)
	b.is(`document.activeElement.classList.contains("v-failed")`, true)
	b.eval(`document.querySelector("#filters").reset()`)
	b.until(`document.querySelectorAll("#grid button.off").length === 0`)
	first := b.eval(`(document.querySelector("#grid tbody button").focus(), document.activeElement.id)`)
	b.key("ArrowDown")
	if b.eval(`document.activeElement.id`) == first {
		t.Error("the arrow goes nowhere")
	}
	b.key("ArrowUp")
	b.is(`document.activeElement.id`, first)

	// Filters by vendor, verdict and suite.
	for _, c := range []struct{ filter, value, want string }{
		{"f-vendor", "mysql", `[...document.querySelectorAll("#grid button:not(.off)")].every(b => b.closest("tr").dataset.vendor === "mysql")`},
		{"f-verdict", "known", `[...document.querySelectorAll("#grid button:not(.off)")].every(b => b.classList.contains("v-known"))`},
		{"f-suite", "failover", `[...document.querySelectorAll("#grid thead th[data-suite]")].every(h => h.hidden === (h.dataset.suite !== "failover"))`},
	} {
		b.eval(`document.querySelector("#filters").reset()`)
		b.until(`document.querySelectorAll("#grid button.off").length === 0`)
		b.eval(`(() => { const f = document.getElementById("` + c.filter + `"); f.value = "` + c.value + `"; f.dispatchEvent(new Event("input")); })()`)
		b.is(c.want, true)
		b.is(`document.querySelectorAll("#grid button:not(.off)").length > 0`, true)
	}
	if bad := b.complaints(); bad != "" {
		t.Errorf("the page complains:\n%s", bad)
	}
}

// The text filter finds whatever the page says of a cell, and cells without a verdict are counted and found as others.
func TestFilterInBrowser(t *testing.T) {
	run := joined(t, "cancelled", "passing", "known", "unavailable")
	known := &report.Expectation{Error: "the declared error", Link: "https://example.com/the-link", Note: "the note of it"}
	for i := range run.Cells {
		for j := range run.Cells[i].Specs {
			if s := &run.Cells[i].Specs[j]; s.Verdict == report.VerdictKnown {
				s.Expectation = known
			}
		}
	}
	run.Cells = append(run.Cells, report.Cell{ID: report.CellID{Entry: "mysql-5.7", Suite: "failover"}, Total: 3, Outcome: report.Outcome{State: report.StatePending}})
	path, _ := write(t, Input{Run: run})
	b := openBrowser(t)
	b.open(path)
	shown := map[string]int{}
	for i := range run.Cells {
		c := &run.Cells[i]
		for _, word := range []string{c.State.String(), c.Verdict.String()} {
			shown[word]++
		}
	}
	if shown["interrupted"] == 0 || shown["pending"] != 1 || shown["unavailable"] == 0 || shown["known"] == 0 {
		t.Fatalf("the run has too little: %v", shown)
	}
	const left = `document.querySelectorAll("#grid button:not(.off)").length`
	for _, word := range []string{"interrupted", "pending", "unavailable"} {
		b.is(`[...document.querySelectorAll(".totals li")].some(l => l.textContent.endsWith("`+strconv.Itoa(shown[word])+` `+word+`"))`, true)
		b.eval(`(() => { const f = document.getElementById("f-verdict"); f.value = "` + word + `"; f.dispatchEvent(new Event("input")); })()`)
		b.is(left, shown[word])
	}
	b.eval(`document.getElementById("f-verdict").value = ""`)
	for word, verdict := range map[string]string{"the declared error": "known", "THE-LINK": "known", "note of it": "known", reasonOf(t, run): "unavailable"} {
		b.eval(`(() => { const f = document.getElementById("f-text"); f.value = ` + strconv.Quote(word) + `; f.dispatchEvent(new Event("input")); })()`)
		b.is(left+` > 0 && [...document.querySelectorAll("#grid button:not(.off)")].every(e => e.classList.contains("v-`+verdict+`"))`, true)
	}
}

// reasonOf is a word of why something in a run is unavailable.
func reasonOf(t *testing.T, run *report.Run) string {
	t.Helper()
	for i := range run.Cells {
		if c := &run.Cells[i]; c.Verdict == report.VerdictUnavailable && c.Reason != "" {
			return strings.SplitN(c.Reason, "\n", 2)[0]
		}
	}
	t.Fatal("nothing is unavailable for a reason")
	return ""
}

// What was measured is read exactly: on hover, in the table, and in the list of a spec.
func TestChartsInBrowser(t *testing.T) {
	path, _ := write(t, Input{Run: measured()})
	b := openBrowser(t)
	b.open(path)
	const chart = `[...document.querySelectorAll(".measured")].find(m => m.querySelector("h3").textContent === "%s")`
	stall, rows := fmt.Sprintf(chart, "cut-over stall, ms"), fmt.Sprintf(chart, "rows copied, rows/s")
	b.is(stall+`.querySelector("svg g title").textContent`, "mysql-8.4: median 123.45, from 0.6 to 150 ms (3 values)")
	b.is(`[...`+stall+`.querySelectorAll("tbody tr")[0].cells].map(c => c.textContent).join(" ")`, "mysql-8.4 123.45 0.6 150 3")
	b.is(rows+`.querySelector("svg g title").textContent`, "mysql-8.4: 50432.125 rows/s")
	b.is(rows+`.querySelector("tbody td").textContent`, "50432.125")
	// The number beside a bar is the median: it stands under that word, away from the line's end.
	b.is(`(() => { const [head, value] = `+stall+`.querySelectorAll("svg .value"); const line = `+stall+`.querySelector("svg line").getBoundingClientRect();
		const h = head.getBoundingClientRect(), v = value.getBoundingClientRect();
		return head.textContent === "median" && value.textContent === "123.45" && Math.abs(h.right - v.right) < 1 && h.bottom <= v.top + 4 && v.left > line.right; })()`, true)
	b.eval(`(document.querySelector("#grid button").click(), document.querySelector("#detail .spec > summary").click())`)
	b.until(`document.querySelector("#detail .body") !== null`)
	b.is(`["rows copied: 50432.125 rows/s", "cut-over stall: 123.45 ms", "cut-over stall: 0.6 ms", "tool cpu: 0.0123 s"].every(m => document.querySelector("#detail .body").textContent.includes(m))`, true)
}

// Printed are every failure with its evidence, and the charts' tables; what can only be clicked is not.
func TestPageOnPaper(t *testing.T) {
	run := joined(t, "failing", "crashed", "passing")
	run.Cells = append(run.Cells, measured().Cells[0])
	path, _ := write(t, Input{Run: run, Folders: []string{"testdata/recorded"}, Base: joined(t, "passing")})
	b := openBrowser(t)
	b.open(path)
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"})
	b.eval(`addEventListener("beforeprint", () => { window.printed = document.body.innerText; })`)
	folded := b.eval(`document.querySelectorAll("main details:not([open])").length`)
	var pdf struct{ Data []byte }
	b.decode(b.call("Page.printToPDF", map[string]any{}), &pdf)
	if !bytes.HasPrefix(pdf.Data, []byte("%PDF")) {
		t.Fatalf("no PDF: %.20q", pdf.Data)
	}
	text, _ := b.eval(`printed`).(string)
	for _, want := range []string{
		"Unknown system variable 'transaction_isolation'", // the error
		run.Cells[0].Specs[0].Repro,
		"nodes1/replica1.state.txt", "binary log coordinates", // what a node said
		"the suite process ended without a result", "123.45\t0.6\t150", "50432.125",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not printed", want)
		}
	}
	if strings.Contains(text, "vendor all") || strings.Contains(text, "Arrow keys move") || strings.Contains(text, "\ncopy\n") {
		t.Error("what can only be clicked is printed")
	}
	b.is(`document.querySelector("#print").hidden && document.querySelector("#print").childElementCount === 0`, true)
	b.is(`document.querySelectorAll("main details:not([open])").length`, folded)
}

// No mark is said by colour alone, and each stands out from its background in both schemes (WCAG 2.2, 1.4.3: 4.5).
func TestPageIsReadable(t *testing.T) {
	path, _ := write(t, Input{Run: joined(t, "failing", "passing", "known", "crashed", "unavailable", "known_fixed", "cancelled"),
		Folders: []string{"testdata/recorded"}, Base: joined(t, "passing")})
	b := openBrowser(t)
	b.open(path)
	b.eval(`document.querySelector("#grid button.v-failed").click()`)
	b.is(`document.querySelector("#detail .spec[open] pre, #detail .spec[open] .copy") !== null`, true)
	const contrast = `(() => {
		const light = c => { const [r, g, b] = c.match(/[\d.]+/g).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
		const poor = [];
		for (const e of document.querySelectorAll(".v, body, #filters, p, td, th, a, pre, summary, .t, dt, dd, strong.new, .copy, select, input, figcaption, svg text")) {
			let under = e; while (getComputedStyle(under).backgroundColor === "rgba(0, 0, 0, 0)" && under.parentElement) under = under.parentElement;
			const [a, b] = [light(getComputedStyle(e)[e instanceof SVGElement ? "fill" : "color"]), light(getComputedStyle(under).backgroundColor)].sort((x, y) => y - x);
			if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(e.className + " " + e.textContent.slice(0, 30));
		}
		return poor.slice(0, 5).join("; ");
	})()`
	for _, selector := range []string{"a", "#detail pre", "#detail .copy", "#detail strong.new", "#detail .spec[open]", "svg text"} {
		b.is(`document.querySelectorAll("`+selector+`").length > 0`, true)
	}
	for _, scheme := range []string{"light", "dark"} {
		b.media(map[string]string{"prefers-color-scheme": scheme})
		if poor := b.eval(contrast); poor != "" {
			t.Errorf("%s: poor contrast of %v", scheme, poor)
		}
	}
	b.is(`(() => { const marks = {}; for (const e of document.querySelectorAll("#grid button")) marks[e.querySelector(".mark").textContent] = (marks[e.querySelector(".mark").textContent] || new Set()).add(e.className); return Object.values(marks).every(s => s.size === 1); })()`, true)
	b.is(`[...document.querySelectorAll("#grid button")].every(e => e.getAttribute("aria-label").length > 10)`, true)
}

// A table whose name is <script> does nothing on the page.
func TestMarkupInBrowser(t *testing.T) {
	run := recorded(t, "markup")
	path, _ := write(t, Input{Run: run})
	b := openBrowser(t)
	b.open(path)
	b.eval(`document.querySelector("#grid button").click()`)
	b.is(`document.querySelector("#detail pre").textContent.includes("<script>document.title='owned'</script>")`, true)
	b.is(`document.title`, "What works where")
	b.is(`document.querySelectorAll("script, img").length`, 2)
	if bad := b.complaints(); bad != "" {
		t.Errorf("the page complains:\n%s", bad)
	}
}

// The page of a run of one's own: go test ./harness/page -run OfARun -of ../../build/runs/NAME. It shows every cell of
// the run, a cell that is not as it should be opens to what is known of it, and its command is copied.
func TestPageOfARun(t *testing.T) {
	if *runFolder == "" {
		t.Skip("opens the page of the run that -of names")
	}
	file, err := os.Open(filepath.Join(*runFolder, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	run, err := report.ReadRun(file)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join(*runFolder, "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	b := openBrowser(t)
	b.open(path)
	b.open(path) // the first one pays for what a browser does only at its start
	t.Logf("%d cells, loaded and drawn in %v ms, by the browser's own clock", len(run.Cells), b.eval(`(document.body.offsetHeight, performance.now().toFixed())`))
	b.is(`document.querySelectorAll("#grid button").length`, len(run.Cells))
	for _, verdict := range []report.Verdict{report.VerdictPassed, report.VerdictKnown, report.VerdictFailed, report.VerdictUnavailable} {
		want := 0
		for i := range run.Cells {
			if run.Cells[i].Verdict == verdict {
				want++
			}
		}
		b.is(`document.querySelectorAll("#grid button.v-`+verdict.String()+`").length`, want)
		if want == 0 {
			continue
		}
		b.eval(`document.querySelector("#filters").reset()`)
		b.eval(`(() => { const f = document.getElementById("f-verdict"); f.value = "` + verdict.String() + `"; f.dispatchEvent(new Event("input")); })()`)
		b.until(`document.querySelectorAll("#grid button:not(.off)").length === ` + strconv.Itoa(want))
		b.eval(`document.querySelector("#grid button.v-` + verdict.String() + `:not(.off)").click()`)
		b.is(`document.querySelector("#detail").hidden`, false)
		b.is(`document.querySelector("#detail").textContent.length > 20`, true)
		if verdict == report.VerdictKnown || verdict == report.VerdictFailed {
			b.call("Browser.grantPermissions", map[string]any{"permissions": []string{"clipboardReadWrite", "clipboardSanitizedWrite"}})
			b.click("#detail .repro .copy")
			b.until(`document.querySelector("#detail .repro .copy").textContent === "copied"`)
			b.is(`navigator.clipboard.readText().then(text => text.startsWith("bin/matrix run --entry "))`, true)
		}
		b.key("Escape")
	}
	if bad := b.complaints(); bad != "" {
		t.Errorf("the page complains:\n%s", bad)
	}
}

// The README's pictures, taken with -update.
func TestScreenshots(t *testing.T) {
	if !*update {
		t.Skip("takes the README's pictures with -update")
	}
	run := joined(t, "failing", "passing", "known", "crashed", "unavailable")
	path, _ := write(t, Input{Run: run, Folders: []string{"testdata/recorded"}})
	b := openBrowser(t)
	b.window(1180, 860)
	b.open(path)
	b.screenshot(filepath.Join(pictures, "page.png"))
	b.eval(`document.querySelector("#grid button.v-failed").click()`)
	b.eval(`document.querySelector("#detail").scrollIntoView()`)
	b.screenshot(filepath.Join(pictures, "page-cell.png"))
	b.media(map[string]string{"prefers-color-scheme": "dark"})
	b.eval(`document.querySelector("#h-charts").scrollIntoView()`)
	b.screenshot(filepath.Join(pictures, "page-dark.png"))
}
