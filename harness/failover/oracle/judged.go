package oracle

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Judged is what was seen of a cluster, and what the oracle of that time has found in it.
type Judged struct {
	Seen  Seen             `json:"seen"`
	Found map[Check]string `json:"found,omitempty"`
}

// Texts are findings as text.
func (f Findings) Texts() map[Check]string {
	texts := map[Check]string{}
	for check, err := range f {
		texts[check] = err.Error()
	}
	return texts
}

// filePrefix begins the names of files that Write writes.
const filePrefix = "seen-"

// Write writes it into a folder of evidence, under a name of the cluster.
func (j Judged) Write(folder, name string) error {
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("what was seen of %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(folder, filePrefix+name+".json"), text, 0o644)
}

// Again is one cluster that was judged again.
type Again struct {
	File      string // relative to the folder that was searched
	Then, Now map[Check]string
}

// Rejudge judges again every cluster of which a folder, at any depth, holds what was seen.
func Rejudge(folder string) (list []Again, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(entry.Name(), filePrefix) || filepath.Ext(path) != ".json" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var then Judged
		if err := json.Unmarshal(text, &then); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name, err := filepath.Rel(folder, path)
		list = append(list, Again{name, then.Found, Judge(then.Seen).Texts()})
		return err
	})
	return list, err
}
