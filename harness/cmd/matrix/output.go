package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// untilSignal is a context that ends at the signals that ask a program to end. SIGHUP is one of them, a closed terminal,
// unless nohup has switched it off.
func untilSignal() (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	// Once somebody listens to SIGPIPE, a write that nobody reads is an error (os/signal). It must not end the context:
	// it comes of a server's connection or a program's input as well. See output.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return ctx, stop
}

// output is standard output. When its reader is gone (matrix run | head), that ends the command as a signal does.
type output struct {
	*os.File
	gone context.CancelFunc
}

func (o output) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.gone()
	}
	return n, err
}

// WriteString would otherwise be the file's own.
func (o output) WriteString(s string) (int, error) { return o.Write([]byte(s)) }

// terminal is the file descriptor of a terminal that w writes to; false when it is none.
func terminal(w io.Writer) (int, bool) {
	file, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return 0, false
	}
	fd := int(file.Fd())
	return fd, term.IsTerminal(fd)
}

// logged says that what is drawn ends in a log, although there may be a terminal: CI services keep every line.
func logged() bool {
	ci := os.Getenv("CI")
	return ci != "" && ci != "false" && ci != "0" || os.Getenv("GITHUB_ACTIONS") != "" || os.Getenv("BUILDKITE") != "" || os.Getenv("TERM") == "dumb"
}

// plainLines says whether a run prints lines, in place of a table that is drawn anew.
func (o *runFlags) plainLines(w io.Writer) (bool, error) {
	_, ok := terminal(w)
	switch {
	case o.live && o.plain:
		return false, errors.New("--live and --plain exclude each other")
	case o.live && !ok:
		return false, errors.New("--live: standard output is no terminal")
	}
	return o.plain || !ok || logged() && !o.live, nil
}
