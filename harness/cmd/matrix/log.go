package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

var (
	logMu   sync.Mutex
	logSink func(string)
)

// setLog sends log lines into a run's events; nil sends them to standard error again.
func setLog(sink func(string)) {
	logMu.Lock()
	defer logMu.Unlock()
	logSink = sink
}

// logLine says what takes time.
func logLine(text string) {
	logMu.Lock()
	sink := logSink
	logMu.Unlock()
	if sink != nil {
		sink(text)
		return
	}
	fmt.Fprintln(os.Stderr, text)
}

// downloadProgress draws a bar for a download on a terminal, and nothing elsewhere or beside a live table.
func downloadProgress() func(name string, done, total int64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) || logged() {
		return nil
	}
	var mu sync.Mutex
	bars := map[string]*progressbar.ProgressBar{}
	return func(name string, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		logMu.Lock()
		inRun := logSink != nil
		logMu.Unlock()
		if inRun {
			return
		}
		bar, ok := bars[name]
		if !ok {
			bar = progressbar.DefaultBytes(total, name)
			bars[name] = bar
		}
		_ = bar.Set64(done) // a bar that cannot be drawn is no reason to stop a download
	}
}
