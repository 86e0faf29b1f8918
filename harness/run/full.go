package run

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"mysqlmatrix/harness/folder"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/wait"
)

const (
	fullPoll = 100 * time.Millisecond
	fullLeft = 1 << 20 // free bytes of a file system that counts as full
)

// fullDisk notes when a folder's file system was full. Servers and tools fail in many ways then, and none is theirs.
type fullDisk struct {
	folder folder.Use
	dir    string

	mu   sync.Mutex
	last time.Time
}

func (f *fullDisk) look() {
	free, err := folder.Free(f.dir)
	if err != nil || free >= fullLeft {
		return // what cannot be asked for its room is told by whoever works there
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = time.Now()
}

// since is an error when the file system was full after a time.
func (f *fullDisk) since(begin time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.Before(begin) {
		return nil
	}
	return &folder.UnfitError{Use: f.folder, Dir: f.dir, Err: errors.New("its disk was full meanwhile")}
}

// watchDisks looks after the folders that servers and tools write to.
func (r *runner) watchDisks() (stop func()) {
	r.disks = []*fullDisk{{folder: folder.Run, dir: r.Root.Path()}, {folder: folder.Temporary, dir: os.TempDir()}}
	var stops []func()
	for _, d := range r.disks {
		stops = append(stops, wait.Every(fullPoll, d.look))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// excuse makes what failed while a disk was full errored.
func (r *runner) excuse(e report.Event, begin time.Time) report.Event {
	if e.Verdict != report.VerdictFailed && e.Verdict != report.VerdictTimedOut {
		return e
	}
	for _, d := range r.disks {
		if err := d.since(begin); err != nil {
			e.Verdict, e.Error = report.VerdictErrored, fmt.Sprintf("%v\n%s", err, e.Error)
			return e
		}
	}
	return e
}
