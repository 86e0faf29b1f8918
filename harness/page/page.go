// Package page writes the compatibility page: one HTML file, with everything in it, on which a maintainer finds what
// breaks where, and how to have it on a machine of their own.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"mysqlmatrix/harness/report"
)

// Input is what a page is made of.
type Input struct {
	Run *report.Run
	// Folders are the output folders of the runs that it is made of, from which evidence is read; without them
	// there is none.
	Folders []string
	// Base is an earlier run, against which failures are new or old; nil for none.
	Base *report.Run
	// Attributions are what matrix attribute found, by failure id.
	Attributions map[string]string
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// pageTemplate escapes by context whatever is put into it; the script and the style sheet are the page's own.
var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// view is what the template shows.
type view struct {
	CSS    template.CSS
	JS     template.JS
	Policy string
	Head   head
	Broken []brokenEntry
	Causes []cause
	Diff   *changes
	Grid   grid
	Charts []chartGroup
	Notes  []string
	Data   template.JS
}

// Write writes the page. It fails before the first byte if something is wrong with the input.
func Write(w io.Writer, in Input) error {
	d, err := newData(in)
	if err != nil {
		return err
	}
	// json.Marshal writes <, > and & as escapes, so that nothing in the data can end the element that it stands in.
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("compatibility page: %w", err)
	}
	v := view{CSS: template.CSS(pageCSS), JS: template.JS(pageJS), Policy: policy(), Data: template.JS(text),
		Head: newHead(in.Run), Grid: newGrid(in.Run), Charts: charts(in.Run), Notes: notes(in.Run), Causes: causes(in.Run)}
	var diff *report.Diff
	if in.Base != nil {
		d := report.Compare(in.Base, in.Run)
		c := newChanges(&d)
		diff, v.Diff = &d, &c
	}
	v.Broken = brokenEntries(in.Run, diff)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return fmt.Errorf("compatibility page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("compatibility page: %w", err)
	}
	return nil
}

// policy lets the browser run the page's own script and nothing else, and load nothing from anywhere: even a text
// that slipped through the escaping could not act. The hashes are those of CSP level 3, section 8.
func policy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(pageJS) + "; style-src " + hash(pageCSS) + "; base-uri 'none'; form-action 'none'"
}
