package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// attributionsFile holds what matrix attribute found of a run's failures, by their ids.
const attributionsFile = "attributions.json"

// ReadAttributions reads what was found of the failures of runs, in their folders. It refuses two findings of one
// failure that are not the same: nothing says which is right.
func ReadAttributions(folders ...string) (map[string]string, error) {
	all, from := map[string]string{}, map[string]string{}
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, attributionsFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var found map[string]string
		if err == nil {
			err = json.Unmarshal(text, &found)
		}
		if err != nil {
			return nil, fmt.Errorf("attributions of %s: %w", folder, err)
		}
		for id, conclusion := range found {
			if other, ok := all[id]; ok && other != conclusion {
				return nil, fmt.Errorf("attributions: %s and %s attribute failure %s to different causes: take it out of one %s",
					from[id], folder, id, attributionsFile)
			}
			all[id], from[id] = conclusion, folder
		}
	}
	return all, nil
}

// KeepAttribution puts a finding beside a failure's run, and makes the run's page anew.
func KeepAttribution(f *Failure, conclusion string) error {
	known, err := ReadAttributions(f.Folder)
	if err != nil {
		return err
	}
	known[f.Outcome.Failure] = conclusion
	if err := writeAttributions(f.Folder, known); err != nil {
		return err
	}
	return WritePage(f.Folder, f.Run)
}

func writeAttributions(folder string, all map[string]string) error {
	return WriteFile(filepath.Join(folder, attributionsFile), func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(all)
	})
}
