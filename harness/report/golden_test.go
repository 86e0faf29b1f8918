package report

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the goldens of testdata anew")

// golden compares got with a file of testdata/golden, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update, and read the difference)\n--- got\n%s\n--- want\n%s", file, got, want)
	}
}

// stream reads a recorded stream; the one of a killed runner ends within a line.
func stream(t *testing.T, name string) []Event {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := ReadEvents(f)
	var bad *LineError
	if err != nil && !(errors.As(err, &bad) && bad.Truncated && name == "killed") {
		t.Fatal(err)
	}
	return events
}

// tell lets an aggregate take in an event, and tells a view of it, as results.Recorder does.
func tell(agg *Aggregate, view interface{ Update(Event) error }, e Event) error {
	agg.Apply(e)
	return view.Update(e)
}

// streams names every recorded stream.
func streams(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no streams in testdata: %v", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".jsonl"))
	}
	return names
}

// each runs a test on every recorded stream and its Run.
func each(t *testing.T, test func(t *testing.T, name string, events []Event, run *Run)) {
	for _, name := range streams(t) {
		t.Run(name, func(t *testing.T) {
			events := stream(t, name)
			test(t, name, events, Fold(events))
		})
	}
}

func TestGoldenViews(t *testing.T) {
	each(t, func(t *testing.T, name string, events []Event, run *Run) {
		write := func(suffix string, view func(b *bytes.Buffer) error) {
			t.Helper()
			var b bytes.Buffer
			if err := view(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, name+suffix, b.String())
		}
		write(".final.txt", func(b *bytes.Buffer) error { return WriteFinal(b, run, Options{Width: 120, Out: "out"}) })
		write(".narrow.txt", func(b *bytes.Buffer) error { return WriteFinal(b, run, Options{Width: 44, ASCII: true}) })
		write(".run.json", func(b *bytes.Buffer) error { return WriteJSON(b, run) })
		write(".junit.xml", func(b *bytes.Buffer) error { return WriteJUnit(b, run) })
		write(".md", func(b *bytes.Buffer) error { return WriteMarkdown(b, run, Options{Out: "out"}, 0) })
		write(".annotations.txt", func(b *bytes.Buffer) error { return WriteAnnotations(b, run) })
		write(".plain.txt", func(b *bytes.Buffer) error {
			var agg Aggregate
			v := NewPlain(b, &agg, Options{Out: "out"})
			for _, e := range events {
				tickErr := v.Tick(e.Time.Add(-time.Millisecond))
				if err := errors.Join(tickErr, tell(&agg, v, e)); err != nil {
					return err
				}
			}
			return v.Close()
		})
	})
}

func TestGoldenColor(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFinal(&b, Fold(stream(t, "failing")), Options{Width: 120, Color: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "failing.color.txt", strings.ReplaceAll(b.String(), "\x1b", "␛"))
}
