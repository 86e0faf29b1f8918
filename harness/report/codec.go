package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxLine bounds one event: a suite that writes its server's whole log into an error is cut off before the runner
// runs out of memory.
const maxLine = 16 << 20

// Encoder writes events as JSON lines. It is safe for concurrent use, and every event is a single Write, so that a
// stream opened for appending holds whole lines even when its writer is killed between two events.
type Encoder struct {
	mu    sync.Mutex
	w     io.Writer
	begun bool
}

// NewEncoder returns an Encoder on w.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

// Encode writes e; the first event of the Encoder is given the stream's Version.
func (enc *Encoder) Encode(e Event) error {
	if err := e.Validate(); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	enc.mu.Lock()
	defer enc.mu.Unlock()
	e.Version = 0
	if !enc.begun {
		e.Version = Version
	}
	var line bytes.Buffer
	js := json.NewEncoder(&line)
	js.SetEscapeHTML(false) // a person reads these files, too
	if err := js.Encode(e); err != nil {
		return fmt.Errorf("write %s event: %w", e.Type, err)
	}
	if line.Len() > maxLine {
		return fmt.Errorf("write %s event of %s: %d bytes, more than the %d that a line may have: cut its error text",
			e.Type, e.Cell, line.Len(), maxLine)
	}
	if _, err := enc.w.Write(line.Bytes()); err != nil {
		return fmt.Errorf("write %s event: %w", e.Type, err)
	}
	enc.begun = true
	return nil
}

// LineError is what a Decoder answers for a line that is no event.
type LineError struct {
	Line int // counted from 1
	// Truncated: the stream ends within the line, as it does when its writer was killed while writing.
	Truncated bool
	Err       error
}

func (e *LineError) Error() string {
	if e.Truncated {
		return fmt.Sprintf("event stream, line %d: cut off within the line (its writer was killed?): %v", e.Line, e.Err)
	}
	return fmt.Sprintf("event stream, line %d: %v", e.Line, e.Err)
}

// Unwrap gives the cause.
func (e *LineError) Unwrap() error { return e.Err }

// VersionError says that a file was written by a newer release than this one, or without a version at all.
type VersionError struct{ Got int }

func (e *VersionError) Error() string {
	if e.Got <= 0 {
		return fmt.Sprintf("no version: want %q, at most %d, first in the file", "version", Version)
	}
	return fmt.Sprintf("version %d is newer than the %d that this program reads: use the release that wrote it, or a later one",
		e.Got, Version)
}

// checkVersion accepts every version from 1 to Version.
func checkVersion(got int) error {
	if got < 1 || got > Version {
		return &VersionError{Got: got}
	}
	return nil
}

// Decoder reads what an Encoder wrote. Blank lines and fields that it does not know are passed over.
type Decoder struct {
	r     *bufio.Reader
	line  int
	begun bool
}

// NewDecoder returns a Decoder on r.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{r: bufio.NewReaderSize(r, 64<<10)} }

// Decode returns the next event, io.EOF at the end of the stream, or a *LineError. After a *LineError that is not
// Truncated, and whose cause is no *VersionError, the next call goes on with the next line.
func (d *Decoder) Decode() (Event, error) {
	for {
		raw, err := d.readLine()
		if err != nil && !errors.Is(err, io.EOF) {
			return Event{}, err
		}
		ended := err != nil
		text := bytes.TrimSpace(raw)
		if len(text) == 0 {
			if ended {
				return Event{}, io.EOF
			}
			continue
		}
		e, err := d.parse(text)
		if err != nil {
			// An object that is whole although its newline is missing has lost nothing.
			return Event{}, &LineError{Line: d.line, Truncated: ended && !json.Valid(text), Err: err}
		}
		return e, nil
	}
}

func (d *Decoder) parse(text []byte) (Event, error) {
	// The version is looked at first and alone: in a newer stream any other field may mean something else.
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Event{}, err
	}
	if head.Version != nil || !d.begun {
		got := 0
		if head.Version != nil {
			got = *head.Version
		}
		if err := checkVersion(got); err != nil {
			return Event{}, err
		}
	}
	var e Event
	if err := json.Unmarshal(text, &e); err != nil {
		return Event{}, err
	}
	if err := e.Validate(); err != nil {
		return Event{}, err
	}
	d.begun = true
	return e, nil
}

// readLine returns the next line with its newline; io.EOF comes together with a last line that has none.
func (d *Decoder) readLine() ([]byte, error) {
	d.line++
	var line []byte
	size := 0
	for {
		part, err := d.r.ReadSlice('\n')
		size += len(part)
		if size <= maxLine {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if size > maxLine {
			return nil, &LineError{Line: d.line, Err: fmt.Errorf("%d bytes, more than the %d that a line may have", size, maxLine)}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read event stream, line %d: %w", d.line, err)
		}
		return line, err
	}
}

// ReadEvents reads a whole stream. With an error, a *LineError for a bad line, it still returns every event before it.
func ReadEvents(r io.Reader) ([]Event, error) {
	d := NewDecoder(r)
	var events []Event
	for {
		e, err := d.Decode()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}
