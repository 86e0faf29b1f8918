package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mysqlmatrix/harness/report"
)

// ErrNoRun says that no run was named.
var ErrNoRun = errors.New("name the folder of a run")

// Merge reads runs and joins them; one run is taken as it is.
func Merge(paths ...string) (*report.Run, error) {
	if len(paths) == 0 {
		return nil, ErrNoRun
	}
	var parts []report.Part
	for _, path := range paths {
		one, err := Read(path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, report.Part{Name: path, Run: one})
	}
	if len(parts) == 1 {
		return parts[0].Run, nil
	}
	return report.Merge(parts...)
}

// A HeldError says that a folder holds a run already.
type HeldError struct{ Folder string }

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s holds a run already: name another folder, or remove it", e.Folder)
}

// WriteMerged writes a merged run. The evidence of its parts does not collide, since no two have a cell in common, nor
// does what attribute found of them; a folder that holds a run already is left alone.
func WriteMerged(out string, merged *report.Run, parts []string) error {
	if _, err := os.Stat(filepath.Join(out, runFile)); err == nil {
		return &HeldError{out}
	}
	var folders []string
	for _, part := range parts {
		folders = append(folders, Folder(part))
	}
	attributions, err := ReadAttributions(folders...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if len(attributions) > 0 {
		if err := writeAttributions(out, attributions); err != nil {
			return err
		}
	}
	for _, folder := range folders {
		from := filepath.Join(folder, evidencePath)
		err := os.CopyFS(filepath.Join(out, evidencePath), os.DirFS(from))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("evidence of %s: %w", folder, err)
		}
	}
	return Write(out, merged)
}

// History reads every folder of dir that holds a run; folders without one are passed over.
func History(dir string) ([]report.Part, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	var runs []report.Part
	for _, e := range entries {
		one, err := Read(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) || !e.IsDir() {
			continue
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, report.Part{Name: e.Name(), Run: one})
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("%s has no folder that holds a run", dir)
	}
	return runs, nil
}
