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
	"time"

	"golang.org/x/term"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
	"mysqlmatrix/harness/run"
)

// record runs the cells, shows what happens, and writes the result files.
func record(ctx context.Context, w io.Writer, c run.Config, cells []matrix.Cell, out string, plain bool) (*report.Run, error) {
	options, aggregate := viewOptions(w, out), &report.Aggregate{}
	recorder, err := results.Record(out, aggregate, newView(w, aggregate, options, plain))
	if errors.As(err, new(*results.HeldError)) {
		return nil, unfit(err) // another command has begun there since it was looked at
	}
	if err != nil {
		return nil, err
	}
	c.Emit = recorder.Emit
	setLog(func(text string) {
		recorder.Emit(report.Event{Type: report.EventNote, Time: time.Now(), Message: text})
	})
	defer setLog(nil)
	runErr := run.Run(ctx, c, cells)
	result, err := recorder.End()
	err = errors.Join(err, report.WriteFinal(w, result, options))
	if err == nil {
		_, err = fmt.Fprintf(w, "report, page and evidence: %s\n", options.Out)
	}
	return result, errors.Join(err, runErr)
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

func newView(w io.Writer, aggregate *report.Aggregate, o report.Options, plain bool) results.View {
	fd, ok := terminal(w)
	if plain || !ok {
		return report.NewPlain(w, aggregate, o)
	}
	return report.NewLive(w, aggregate, o, sizeOf(fd))
}

// sizeOf asks a terminal for its columns and lines; 0 where it does not say.
func sizeOf(fd int) func() (width, height int) {
	return func() (int, int) {
		width, height, err := term.GetSize(fd)
		if err != nil {
			return 0, 0
		}
		return width, height
	}
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
