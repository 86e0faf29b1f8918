package main

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

// readAttributions reads what was found of the failures of runs, in their folders. It refuses two findings of one
// failure that are not the same: nothing says which is right.
func readAttributions(folders ...string) (map[string]string, error) {
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
				return nil, fmt.Errorf("attributions: whose fault %s is, %s and %s say differently: take it out of one %s",
					id, from[id], folder, attributionsFile)
			}
			all[id], from[id] = conclusion, folder
		}
	}
	return all, nil
}

func writeAttributions(folder string, all map[string]string) error {
	return writeFile(filepath.Join(folder, attributionsFile), func(w io.Writer) error { return printJSON(w, all) })
}
