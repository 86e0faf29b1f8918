package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A HeldError says that a folder holds results already.
type HeldError struct {
	Folder, Name string // Name is a file of theirs
	Busy         bool   // they are being written now
}

func (e *HeldError) Error() string {
	if e.Busy {
		return fmt.Sprintf("%s: another command writes its results there now: name another folder", e.Folder)
	}
	return fmt.Sprintf("%s holds results already (%s): name another folder, or remove it", e.Folder, e.Name)
}

// written are the names of what matrix run, migrate and upgrade, report merge and attribute write into a folder of results.
var written = []string{runFile, eventsFile, junitFile, summaryFile, pageFile, attributionsFile, evidencePath,
	"migrate.json", "migrate.md", "migrate.html", "upgrade.json", "upgrade.md", "upgrade.html"}

// logPattern are the logs of migrate: of one tool on one server, and below of several.
const logPattern = "table*.log"

// Held is a *HeldError when a folder holds results. A folder that is not there, and one with other files, holds none.
func Held(folder string) error {
	there, err := resultsIn(folder)
	if err != nil || len(there) == 0 {
		return err
	}
	return &HeldError{Folder: folder, Name: there[0], Busy: busy(folder)}
}

// Discard removes the results that a folder holds and leaves all else in it. Results that are being written are not removed.
func Discard(folder string) error {
	there, err := resultsIn(folder)
	if err != nil {
		return err
	}
	if busy(folder) {
		return &HeldError{Folder: folder, Busy: true}
	}
	for _, name := range there {
		path := filepath.Join(folder, name)
		err = errors.Join(err, os.RemoveAll(path))
		if below := filepath.Dir(name); below != "." {
			_ = os.Remove(filepath.Dir(path)) // it stays while it holds something
		}
	}
	return err
}

// resultsIn are the names of the results in a folder.
func resultsIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	var there []string
	for _, e := range entries {
		logs, err := fs.Glob(os.DirFS(folder), logsOf(e))
		if err != nil {
			return nil, err
		}
		if slices.Contains(written, e.Name()) {
			there = append(there, e.Name())
		} else {
			there = append(there, logs...)
		}
	}
	return there, nil
}

// logsOf is the pattern of the logs that an entry of a folder is, or that it holds.
func logsOf(e fs.DirEntry) string {
	plain := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(e.Name())
	if e.IsDir() {
		return plain + "/" + logPattern
	}
	if ok, _ := filepath.Match(logPattern, e.Name()); !ok {
		return ""
	}
	return plain
}

// busy says whether a recorder writes into a folder.
func busy(folder string) bool {
	file, err := os.Open(filepath.Join(folder, eventsFile))
	if err != nil {
		return false
	}
	defer file.Close()
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
