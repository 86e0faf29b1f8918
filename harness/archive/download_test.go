package archive

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A connection that breaks is gone on with where it broke, and only as long as the server has the same file.
func TestDownloadGoesOn(t *testing.T) {
	file := bytes.Repeat([]byte("0123456789"), 1000)
	for _, c := range []struct {
		name  string
		etags []string // of each answer
	}{
		{"the same file", []string{`"v1"`, `"v1"`}},
		{"another file", []string{`"v0"`, `"v1"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests []*http.Request
			site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", c.etags[len(requests)])
				requests = append(requests, r)
				if len(requests) == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(len(file)))
					_, _ = w.Write(file[:4000])
					return // the server closes a connection of which less came than it said
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
			}))
			t.Cleanup(site.Close)
			var done, total int64
			d := &Download{Client: site.Client(), File: filepath.Join(t.TempDir(), "a"), Limit: 1 << 20, Stall: 5 * time.Second,
				Progress: func(_ string, d, of int64) { done, total = d, of }}
			if err := d.Fetch(t.Context(), site.URL); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(d.File); err != nil || !bytes.Equal(got, file) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if done != total || total != int64(len(file)) {
				t.Errorf("progress ended at %d of %d", done, total)
			}
			if len(requests) != 2 || requests[1].Header.Get("Range") != "bytes=4000-" || requests[1].Header.Get("If-Range") != c.etags[0] {
				t.Errorf("%d requests, the last with %v", len(requests), requests[len(requests)-1].Header)
			}
			if err := d.Discard(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(filepath.Dir(d.File)); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

func TestDownloadFails(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	d := &Download{Client: gone.Client(), File: filepath.Join(t.TempDir(), "a"), Limit: 1 << 20, Stall: 5 * time.Second}
	err := d.Fetch(t.Context(), gone.URL)
	var status *StatusError
	if !errors.As(err, &status) || !strings.Contains(err.Error(), "the server answers 404 Not Found") {
		t.Errorf("error %v, want the status", err)
	}
	if _, _, ok := Unreached(err); ok {
		t.Error("a server that answers counts as one that was not reached")
	}
	gone.Close()
	err = d.Fetch(t.Context(), gone.URL)
	if host, reason, ok := Unreached(err); !ok || host != gone.Listener.Addr().String() || !strings.Contains(reason, "refused") {
		t.Errorf("error %v: host %q, reason %q", err, host, reason)
	}
}

func TestSums(t *testing.T) {
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of FIPS 180-2
	got, err := SumFile(write(t, []byte("abc")))
	if err != nil || got.SHA256 != abc || got.MD5 != "900150983cd24fb0d6963f7d28e17f72" {
		t.Errorf("sums %+v, %v", got, err)
	}
	if err := got.Check("a", Sums{SHA256: strings.ToUpper(abc)}, "matrix.yaml"); err != nil {
		t.Error(err)
	}
	err = got.Check("a", Sums{SHA256: abc, MD5: strings.Repeat("0", 32)}, "matrix.yaml")
	if want := "a: MD5 is 900150983cd24fb0d6963f7d28e17f72, but matrix.yaml says 00000000000000000000000000000000: refused"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if (Sums{}).Known() || !got.Known() {
		t.Error("what is known is told wrongly")
	}
}

func TestNamesOfURLs(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.com/a/b.tar.gz?x=1": "b.tar.gz",
		"file:///srv/own%20build.tar.gz":     "own build.tar.gz",
	} {
		if got := FileName(raw); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		"file:///srv/own%20build.tar.gz": "/srv/own build.tar.gz",
		"file://localhost/srv/x.tar.gz":  "/srv/x.tar.gz",
		"file://host/srv/x.tar.gz":       "",
		"https://example.com/x.tar.gz":   "",
		"file:x.tar.gz":                  "",
	} {
		if got, ok := LocalPath(raw); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t, want %q", raw, got, ok, want)
		}
	}
}
