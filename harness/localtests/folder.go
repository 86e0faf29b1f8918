// Package localtests reads and runs gh-ost's own tests, the localtests folder of its source, by their own script.
package localtests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Tests are gh-ost's own tests, the localtests/ folder of its source: one script, and a folder for
// each test. They are read and run where they lie; which file means what is said by the script of the
// version under test, and the names here are the files'.
type Tests struct {
	Dir     string // the folder that holds test.sh
	Folders []Folder
}

// Folder is one of gh-ost's own tests.
type Folder struct {
	Name           string
	Dir            string
	Event          bool   // create.sql makes an event, which writes during the copy
	Script         bool   // a test.sh of its own runs gh-ost and judges
	Sysbench       bool   // the test that the script gives a load by sysbench
	ExpectFailure  bool   // gh-ost must exit with an error
	Failure        string // what its log must show then; "" is any error
	GTIDMode       string // the servers' gtid_mode, "" leaves it alone
	IgnoreVersions string // versions and version comments that the test is left out for, a regular expression
}

// The names that upstream's script knows.
const (
	localtestsDir    = "localtests"
	localtestsScript = "test.sh"
	sysbenchFolder   = "sysbench"
)

// ErrNone says that a gh-ost has no source beside it whose tests could be run.
var ErrNone = errors.New("there is no localtests/test.sh beside it")

// Read reads the tests in a gh-ost source folder. A folder without them is ErrNone.
func Read(source string) (*Tests, error) {
	l := &Tests{Dir: filepath.Join(source, localtestsDir)}
	if info, err := os.Stat(filepath.Join(l.Dir, localtestsScript)); source == "" || err != nil || !info.Mode().IsRegular() {
		return nil, ErrNone
	}
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return nil, fmt.Errorf("gh-ost's own tests: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		f, err := ReadFolder(filepath.Join(l.Dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("gh-ost's own test %s: %w", entry.Name(), err)
		}
		l.Folders = append(l.Folders, f)
	}
	return l, nil
}

// ReadFolder reads one test by its folder.
func ReadFolder(dir string) (Folder, error) {
	f := Folder{Name: filepath.Base(dir), Dir: dir}
	f.Sysbench = f.Name == sysbenchFolder
	var errs []error
	text := func(name string) (string, bool) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		// The script reads these files by $(cat …), which drops line ends.
		return strings.TrimRight(string(content), "\n"), err == nil
	}
	create, _ := text("create.sql")
	f.Event = createsEvent(create)
	_, f.Script = text(localtestsScript)
	f.Failure, f.ExpectFailure = text("expect_failure")
	f.GTIDMode, _ = text("gtid_mode")
	f.IgnoreVersions, _ = text("ignore_versions")
	return f, errors.Join(errs...)
}

var (
	sqlComment  = regexp.MustCompile(`/\*(?s:.*?)\*/|(?m:--(?:[ \t].*)?$)`)
	createEvent = regexp.MustCompile(`(?i)\bcreate\s+(?:or\s+replace\s+)?(?:definer\s*=\s*\S+\s+)?event\b`)
)

// createsEvent says whether SQL text makes an event.
func createsEvent(text string) bool {
	return createEvent.MatchString(sqlComment.ReplaceAllString(text, ""))
}
