package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mysqlmatrix/harness/report"
)

// ErrNoRun says that no run was named.
var ErrNoRun = errors.New("name the folder of a run")

// Merged are runs that are one.
type Merged struct {
	Run          *report.Run
	Folders      []string          // of its parts
	Attributions map[string]string // what attribute found of its failures
	// Unread are the parts that could not be read. The run has each as an errored cell, so that no view and no exit code
	// is without them.
	Unread []error
}

// Merge reads runs and joins them. One that cannot be read does not hold up the others, unless there is no other; parts
// that contradict each other are refused.
func Merge(paths ...string) (*Merged, error) {
	if len(paths) == 0 {
		return nil, ErrNoRun
	}
	if err := oneRunTwice(paths); err != nil {
		return nil, err
	}
	m := &Merged{}
	var parts []report.Part
	lost := map[string]error{}
	for _, path := range paths {
		one, err := Read(path)
		if err == nil {
			parts = append(parts, report.Part{Name: path, Run: one})
			m.Folders = append(m.Folders, Folder(path))
			_, err = ReadAttributions(Folder(path))
		}
		if err != nil {
			lost[path] = err
			m.Unread = append(m.Unread, err)
		}
	}
	if len(parts) == 0 || len(paths) == len(m.Unread) {
		return nil, errors.Join(m.Unread...)
	}
	var err error
	if m.Run, err = joined(parts); err != nil {
		return nil, err
	}
	whole := slices.DeleteFunc(slices.Clone(m.Folders), func(folder string) bool { return lost[folder] != nil || lost[filepath.Join(folder, runFile)] != nil })
	if m.Attributions, err = ReadAttributions(whole...); err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := lost[path]; err != nil {
			m.Run.Expect(report.CellID{Entry: path, Suite: "results"}, err.Error())
		}
	}
	return m, nil
}

// oneRunTwice is an error when two of the paths lead to one run.
func oneRunTwice(paths []string) error {
	seen := map[string]os.FileInfo{}
	for i, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			if file, fileErr := os.Stat(filepath.Join(path, runFile)); fileErr == nil {
				info = file
			}
		}
		if err != nil {
			continue // whoever reads it says so
		}
		for _, other := range paths[:i] {
			if seen[other] != nil && os.SameFile(seen[other], info) {
				return fmt.Errorf("merge: %s and %s are one run: name it once", other, path)
			}
		}
		seen[path] = info
	}
	return nil
}

// joined takes one run as it is.
func joined(parts []report.Part) (*report.Run, error) {
	if len(parts) == 1 {
		return parts[0].Run, nil
	}
	return report.Merge(parts...)
}

// Write writes a merged run into a folder that holds none. The evidence of its parts does not collide, since no two have a
// cell in common, nor does what attribute found of them.
func (m *Merged) Write(out string) error {
	if err := Held(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if len(m.Attributions) > 0 {
		if err := writeAttributions(out, m.Attributions); err != nil {
			return err
		}
	}
	var lost []error
	for _, folder := range m.Folders {
		from := filepath.Join(folder, evidencePath)
		err := os.CopyFS(filepath.Join(out, evidencePath), os.DirFS(from))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			lost = append(lost, fmt.Errorf("evidence of %s: %w", folder, err))
		}
	}
	return errors.Join(append(lost, Write(out, m.Run))...)
}

// History reads every folder of dir that holds a run; folders without one are passed over. What cannot be read is in the
// error, beside the others.
func History(dir string) ([]report.Part, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	var runs []report.Part
	var lost []error
	for _, e := range entries {
		one, err := Read(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) || !e.IsDir() {
			continue
		}
		if err != nil {
			lost = append(lost, err)
			continue
		}
		runs = append(runs, report.Part{Name: e.Name(), Run: one})
	}
	if len(runs)+len(lost) == 0 {
		return nil, fmt.Errorf("%s has no folder that holds a run", dir)
	}
	return runs, errors.Join(lost...)
}
