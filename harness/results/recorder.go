package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mysqlmatrix/harness/report"
)

// A View shows a run while it goes on. It is told of an event after the aggregate has taken it in.
type View interface {
	Update(report.Event) error
	Tick(time.Time) error
	Close() error
}

// Recorder writes the events of a run into its folder, and shows them. It is safe for concurrent use.
type Recorder struct {
	folder    string
	aggregate *report.Aggregate
	view      View
	file      *os.File
	encoder   *report.Encoder
	done      chan struct{}
	ticking   sync.WaitGroup

	mu  sync.Mutex // events come from many cells, ticks from the clock
	err error
}

const tickInterval = 250 * time.Millisecond

// Record begins to record into a folder that holds no run. The view shows the aggregate that is given here.
func Record(folder string, aggregate *report.Aggregate, view View) (*Recorder, error) {
	file, err := os.OpenFile(filepath.Join(folder, eventsFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, &HeldError{Folder: folder, Name: eventsFile, Busy: busy(folder)}
	}
	if err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	// It says that the run goes on, to whoever would replace it; a file system without locks has none that say so.
	_ = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	r := &Recorder{folder: folder, aggregate: aggregate, view: view, file: file, encoder: report.NewEncoder(file), done: make(chan struct{})}
	r.ticking.Go(r.tick)
	return r, nil
}

// Emit records an event.
func (r *Recorder) Emit(e report.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.aggregate.Apply(e)
	r.err = errors.Join(r.err, r.encoder.Encode(e), r.view.Update(e))
}

func (r *Recorder) tick() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			r.mu.Lock()
			r.err = errors.Join(r.err, r.view.Tick(now))
			r.mu.Unlock()
		case <-r.done:
			return
		}
	}
}

// End takes the view away, writes the files of the run, and returns it. No event may come after it.
func (r *Recorder) End() (*report.Run, error) {
	close(r.done)
	r.ticking.Wait()
	run := r.aggregate.End()
	return run, errors.Join(r.err, r.view.Close(), Write(r.folder, run), r.file.Close())
}
