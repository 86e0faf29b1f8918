package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"golang.org/x/term"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/page"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/run"
)

// view is how a run is watched.
type view interface {
	Update(report.Event) error
	Tick(time.Time) error
	Close() error
}

// record runs the cells, shows what happens, and writes the result files.
func record(ctx context.Context, w io.Writer, c run.Config, cells []matrix.Cell, out string, plain bool) (_ *report.Run, err error) {
	events, err := os.Create(filepath.Join(out, "events.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	options := viewOptions(w, out)
	v := newView(w, options, plain)
	var mu sync.Mutex // events come from many cells, ticks from the clock
	var viewErr error
	aggregate := &report.Aggregate{}
	encoder := report.NewEncoder(events)
	c.Emit = func(e report.Event) {
		mu.Lock()
		defer mu.Unlock()
		aggregate.Apply(e)
		viewErr = errors.Join(viewErr, encoder.Encode(e), v.Update(e))
	}
	setLog(func(text string) { c.Emit(report.Event{Type: report.EventNote, Time: time.Now(), Message: text}) })
	defer setLog(nil)
	stop := tick(func(now time.Time) {
		mu.Lock()
		defer mu.Unlock()
		viewErr = errors.Join(viewErr, v.Tick(now))
	})
	runErr := run.Run(ctx, c, cells)
	stop()
	result := aggregate.End()
	err = errors.Join(viewErr, v.Close(), writeResults(out, result), report.WriteFinal(w, result, options))
	if runErr != nil {
		err = errors.Join(err, runErr)
	}
	return result, err
}

const tickInterval = 250 * time.Millisecond

func tick(do func(time.Time)) (stop func()) {
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(tickInterval)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				do(now)
			case <-done:
				return
			}
		}
	})
	return func() { close(done); group.Wait() }
}

func viewOptions(w io.Writer, out string) report.Options {
	o := report.Options{Out: relative(out)}
	if fd, ok := terminal(w); ok {
		o.Color = os.Getenv("NO_COLOR") == "" && !logged()
		o.Width, _, _ = term.GetSize(fd) // zero, no limit, when the terminal does not say
	}
	locale := os.Getenv("LC_ALL") + os.Getenv("LC_CTYPE") + os.Getenv("LANG")
	o.ASCII = o.Color && !regexp.MustCompile(`(?i)utf-?8`).MatchString(locale)
	return o
}

func newView(w io.Writer, o report.Options, plain bool) view {
	fd, ok := terminal(w)
	if plain || !ok {
		return report.NewPlain(w, o)
	}
	return report.NewLive(w, o, func() (int, int) {
		width, height, err := term.GetSize(fd)
		if err != nil {
			return 0, 0
		}
		return width, height
	})
}

// relative shortens a path below the working folder.
func relative(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(dir, path)
	if err != nil || len(short) > len(path) || slices.Contains(filepath.SplitList(short), "..") {
		return path
	}
	return short
}

// writeResults writes the files that other programs read.
func writeResults(out string, result *report.Run) error {
	return errors.Join(
		writeFile(filepath.Join(out, "run.json"), func(w io.Writer) error { return report.WriteJSON(w, result) }),
		writeFile(filepath.Join(out, "junit.xml"), func(w io.Writer) error { return report.WriteJUnit(w, result) }),
		writeFile(filepath.Join(out, "summary.md"), func(w io.Writer) error {
			return report.WriteMarkdown(w, result, report.Options{}, report.MarkdownLimit)
		}),
		writePage(out, result),
	)
}

// writePage writes the page of a run into its folder, with what attribute has found of its failures.
func writePage(folder string, result *report.Run) error {
	known, err := readAttributions(folder)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(folder, "page.html"), func(w io.Writer) error {
		return page.Write(w, page.Input{Run: result, Folders: []string{folder}, Attributions: known})
	})
}

// writeFile writes a file whole or leaves what was there: a page that cannot be made takes no older one with it.
func writeFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
