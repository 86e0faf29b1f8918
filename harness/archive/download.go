package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// maxBreaks is how often in a row a connection may break without bringing a single byte.
	maxBreaks = 3
	// DefaultStall is how long a server may say nothing before the connection counts as broken.
	DefaultStall = 60 * time.Second
)

// Download is one file on its way. What has arrived is in File; beside it, File+".json" says of which
// version of which URL it is a part, without which it cannot be resumed.
type Download struct {
	Client   *http.Client
	Name     string // for humans
	File     string
	Summed   bool                                 // its checksum is known
	Local    bool                                 // the user's own file, which is only read
	Limit    int64                                // bytes at most
	Stall    time.Duration                        // how long the server may say nothing
	Progress func(name string, done, total int64) // total is -1 when unknown; may be nil
}

// part is what must still hold when a download is resumed (RFC 9110, section 13.1.5).
type part struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // a strong ETag, else Last-Modified
}

// BrokenError is a connection that ended too early.
type BrokenError struct {
	got, want int64 // want is -1 when the server did not say
	err       error
}

// Error says how much there was.
func (e *BrokenError) Error() string {
	if e.got == 0 {
		return e.err.Error()
	}
	if e.want >= 0 {
		return fmt.Sprintf("the connection broke after %d of %d bytes: %v", e.got, e.want, e.err)
	}
	return fmt.Sprintf("the connection broke after %d bytes: %v", e.got, e.err)
}

// Unwrap gives the reason.
func (e *BrokenError) Unwrap() error { return e.err }

// StatusError is an HTTP status that brings no file.
type StatusError struct{ Status string }

// Error has the status in the server's words.
func (e *StatusError) Error() string { return "the server answers " + e.Status }

// Fetch brings the file of a URL. After a broken connection it goes on where it stopped, as long as that
// brings something. What a broken connection left stays for the next call; after any other error nothing
// stays.
func (d *Download) Fetch(ctx context.Context, url string) error {
	breaks := 0
	for {
		before := d.size()
		err := d.attempt(ctx, url)
		if err == nil {
			return nil
		}
		var broken *BrokenError
		if !errors.As(err, &broken) {
			return errors.Join(fmt.Errorf("download %s: %w", url, err), d.Discard())
		}
		if ctx.Err() != nil {
			return fmt.Errorf("download %s: %w", url, ctx.Err())
		}
		if breaks++; d.size() > before {
			breaks = 0
		}
		if breaks == maxBreaks {
			err = fmt.Errorf("download %s: %w", url, err)
			if d.Resumable(url) == 0 {
				err = errors.Join(err, d.Discard())
			}
			return err
		}
	}
}

// attempt asks once, for all of the file or for the rest of it.
func (d *Download) attempt(ctx context.Context, url string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept-Encoding", "identity") // the checksum is that of the file as it lies there
	have := d.Resumable(url)
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if validator := d.part().Validator; validator != "" {
			request.Header.Set("If-Range", validator)
		}
	}
	watch := time.AfterFunc(d.Stall, func() { cancel(fmt.Errorf("nothing came for %s", d.Stall)) })
	defer watch.Stop()
	response, err := d.Client.Do(request)
	if err != nil {
		return &BrokenError{got: have, want: -1, err: cause(ctx, err)}
	}
	defer response.Body.Close()
	have, err = d.accept(response, url, have)
	if err != nil {
		return err
	}
	body := &watchedReader{r: response.Body, reset: func() { watch.Reset(d.Stall) }}
	return d.receive(ctx, body, have, total(response, have))
}

// accept reads an answer's status and returns how many bytes of the file there are already; a server that
// does not go on where it was asked to starts from the beginning.
func (d *Download) accept(response *http.Response, url string, have int64) (int64, error) {
	switch {
	case response.StatusCode == http.StatusPartialContent && have > 0:
		if strings.HasPrefix(response.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)) {
			return have, nil
		}
		return 0, errors.Join(&BrokenError{want: -1, err: errors.New("the server resumed at another position")}, d.Discard())
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return 0, errors.Join(&BrokenError{want: -1, err: errors.New("the file at the server is shorter now")}, d.Discard())
	case response.StatusCode == http.StatusOK:
		return 0, d.begin(part{URL: url, Validator: validator(response.Header)})
	case response.StatusCode >= 500:
		return 0, &BrokenError{got: have, want: -1, err: &StatusError{Status: response.Status}}
	default:
		return 0, &StatusError{Status: response.Status}
	}
}

// receive appends the body to what is there.
func (d *Download) receive(ctx context.Context, body io.Reader, have, want int64) error {
	f, err := os.OpenFile(d.File, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	counter := &progressWriter{w: f, name: d.Name, done: have, total: want, report: d.Progress}
	n, err := io.Copy(counter, io.LimitReader(body, d.Limit-have+1))
	closeErr := f.Close()
	switch got := have + n; {
	case got > d.Limit:
		return fmt.Errorf("the server sends more than %d bytes", d.Limit)
	case counter.failed != nil || closeErr != nil: // a full disk
		return errors.Join(counter.failed, closeErr)
	case err != nil:
		return &BrokenError{got: got, want: want, err: cause(ctx, err)}
	case want >= 0 && got != want:
		return &BrokenError{got: got, want: want, err: io.ErrUnexpectedEOF}
	}
	return nil
}

// begin starts a file from nothing.
func (d *Download) begin(p part) error {
	if err := d.Discard(); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(d.File+".json", text, 0o644)
}

// Discard removes everything that has arrived.
func (d *Download) Discard() error {
	if d.Local {
		return nil
	}
	for _, path := range []string{d.File, d.File + ".json"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("discard a download: %w", err)
		}
	}
	return nil
}

func (d *Download) size() int64 {
	info, err := os.Stat(d.File)
	if err != nil {
		return 0
	}
	return info.Size()
}

func (d *Download) part() (p part) {
	text, err := os.ReadFile(d.File + ".json")
	if err != nil || json.Unmarshal(text, &p) != nil {
		return part{}
	}
	return p
}

// Resumable is how much of a URL's file there is that a server can be asked to go on with: where the server does not say
// which version of the file it is, only what a checksum will tell.
func (d *Download) Resumable(url string) int64 {
	if p := d.part(); p.URL != url || p.Validator == "" && !d.Summed {
		return 0
	}
	return d.size()
}

// validator is what If-Range can carry: a strong entity tag, else the date of the last change.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}

// total is the whole file's size in bytes, or -1.
func total(response *http.Response, have int64) int64 {
	if _, size, ok := strings.Cut(response.Header.Get("Content-Range"), "/"); ok {
		if n, err := strconv.ParseInt(size, 10, 64); err == nil {
			return n
		}
	}
	if response.ContentLength < 0 {
		return -1
	}
	return have + response.ContentLength
}

func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// watchedReader tells that something came.
type watchedReader struct {
	r     io.Reader
	reset func()
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.reset()
	}
	return n, err
}

// progressWriter reports how far a file is, and keeps apart errors of the disk from those of the network.
type progressWriter struct {
	w           io.Writer
	name        string
	done, total int64
	report      func(name string, done, total int64)
	failed      error
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.done += int64(n)
	p.failed = err
	if p.report != nil {
		p.report(p.name, p.done, p.total)
	}
	return n, err
}
