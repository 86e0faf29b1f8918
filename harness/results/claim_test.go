package results

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mysqlmatrix/harness/report"
)

// still shows nothing.
type still struct{}

func (still) Update(report.Event) error { return nil }
func (still) Tick(time.Time) error      { return nil }
func (still) Close() error              { return nil }

func TestHeldAndDiscard(t *testing.T) {
	put := func(dir string, names ...string) {
		t.Helper()
		for _, name := range names {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"run.json", "events.jsonl", "evidence/mysql-9.7/x/output.log", "attributions.json", "page.html", "migrate.json", "table1.log",
		"mysql-9.7-gh-ost/table12.log", "odd[name/table1.log", "upgrade.json"} {
		dir := t.TempDir()
		if err := Held(dir); err != nil {
			t.Errorf("an empty folder: %v", err)
		}
		put(dir, "notes.txt", "own/notes.txt", "own/table.md", name, filepath.Join(filepath.Dir(name), "beside.txt"))
		if err := Held(dir); !errors.As(err, new(*HeldError)) {
			t.Errorf("%s: %v, want that the folder holds results", name, err)
		}
		if err := Discard(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := Held(dir); err != nil {
			t.Errorf("%s is still there: %v", name, err)
		}
		for _, own := range []string{"notes.txt", "own/notes.txt", "own/table.md"} {
			if _, err := os.Stat(filepath.Join(dir, own)); err != nil {
				t.Errorf("%s: a file of the user's own is gone: %v", name, err)
			}
		}
	}
	if err := errors.Join(Held("/nosuch/folder"), Discard("/nosuch/folder")); err != nil {
		t.Error(err)
	}
}

// Two runs that begin at once do not write into one folder, and what is being written is not replaced.
func TestResultsThatAreBeingWritten(t *testing.T) {
	dir := t.TempDir()
	recorder, err := Record(dir, &report.Aggregate{}, still{})
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := Record(dir, &report.Aggregate{}, still{}); !errors.As(err, &held) || !held.Busy {
		t.Errorf("a second recorder: %v", err)
	}
	if err := Discard(dir); !errors.As(err, &held) || !held.Busy {
		t.Errorf("discard: %v", err)
	}
	if _, err := recorder.End(); err != nil {
		t.Fatal(err)
	}
	if err := Held(dir); !errors.As(err, &held) || held.Busy {
		t.Errorf("after the end: %v", err)
	}
	if err := Discard(dir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
