package basedir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

func TestObtainTarball(t *testing.T) {
	mysql, percona, maria := tarOf(t, serverEntries(mysqlVersion)), tarOf(t, serverEntries(perconaVersion)), tarOf(t, serverEntries(mariaVersion))
	tests := map[string]struct {
		file    []byte
		name    string
		entry   func(b []byte) matrix.Entry
		want    string
		library string
	}{
		"gz, MD5": {gzipped(t, mysql), "m.tar.gz", func(b []byte) matrix.Entry {
			return tarballEntry(flavor.MySQL, "8.0", Tarball{MD5: strings.ToUpper(md5Of(b))})
		}, "mysql 8.0.36", "libmysqlclient.so"},
		"xz, SHA-256": {xzipped(t, percona), "p.tar.xz", func(b []byte) matrix.Entry {
			return tarballEntry(flavor.Percona, "8.0", Tarball{SHA256: sha256Of(b)})
		}, "percona 8.0.36", "libperconaserverclient.so"},
		"gz, SHA-512": {gzipped(t, maria), "a.tar.gz", func(b []byte) matrix.Entry {
			return tarballEntry(flavor.MariaDB, "10.11", Tarball{SHA512: sha512Of(b)})
		}, "mariadb 10.11.9", "libmariadbclient.so"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			site := newVendor(t, test.file)
			s := newStore(t)
			var done, total int64
			s.Progress = func(_ string, d, of int64) { done, total = d, of }
			e := test.entry(test.file)
			e.Sources[0].Declared.(*Tarball).URLs = []string{site.URL + "/" + test.name}
			b, err := s.Obtain(t.Context(), e, "")
			if err != nil {
				t.Fatal(err)
			}
			if b.Flavor.String() != test.want || b.Entry != e.Name || len(b.Digest) != 64 {
				t.Errorf("basedir %+v, want %s of %s", b, test.want, e.Name)
			}
			if done != int64(len(test.file)) || total != done {
				t.Errorf("progress ended at %d of %d, want %d", done, total, len(test.file))
			}
			for _, file := range []string{"bin/mysqld", "bin/mysqld_safe", "share/copy.sys", "FLAVOR", "lib/" + test.library} {
				if _, err := os.Stat(filepath.Join(b.Path, file)); err != nil {
					t.Error(err)
				}
			}
			site.Close() // from now on everything must come from the cache
			again, err := s.Obtain(t.Context(), e, "")
			if err != nil || again.Path != b.Path || again.Digest != b.Digest {
				t.Errorf("second time: %+v, %v", again, err)
			}
			if lock, err := os.ReadFile(s.LockFile); err != nil || !strings.Contains(string(lock), sha256Of(test.file)+"  "+test.name+"\n") {
				t.Errorf("lock file %q, %v", lock, err)
			}
			if left := leftovers(t, s); strings.Contains(strings.Join(left, " "), "downloads") {
				t.Errorf("the archive stayed: %v", left)
			}
		})
	}
}

func TestBrokenConnectionIsResumed(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	site := newVendor(t, file)
	site.cut, site.cuts = len(file)/4, 3
	s := newStore(t)
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{site.URL + "/m.tar.gz"}})
	if _, err := s.Obtain(t.Context(), e, ""); err != nil {
		t.Fatal(err)
	}
	requests := site.seen()
	if len(requests) != 4 {
		t.Fatalf("%d requests, want 4", len(requests))
	}
	last := requests[3]
	if last.Get("Range") != fmt.Sprintf("bytes=%d-", 3*(len(file)/4)) || last.Get("If-Range") != `"v1"` {
		t.Errorf("last request: Range %q, If-Range %q", last.Get("Range"), last.Get("If-Range"))
	}
}

// TestBrokenDownloadGoesOnLater: what a server that broke off left is what the next call goes on with, but
// only while the server still has the same file.
func TestBrokenDownloadGoesOnLater(t *testing.T) {
	for _, changed := range []bool{false, true} {
		t.Run(fmt.Sprintf("changed=%t", changed), func(t *testing.T) {
			file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
			old := append([]byte("older"), file...)
			site := newVendor(t, file)
			if changed {
				site.file, site.etag = old, `"v0"`
			}
			site.cut, site.cuts, site.noRanges = len(file)/2, -1, true
			s := newStore(t)
			e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{site.URL + "/m.tar.gz"}})
			_, err := s.Obtain(t.Context(), e, "")
			var broken *archive.BrokenError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), "connection broke after") {
				t.Fatalf("error %v, want a broken connection", err)
			}
			if left := leftovers(t, s); len(left) != 2 {
				t.Fatalf("left %v, want the part and its note", left)
			}
			before := len(site.seen())
			site.cut, site.noRanges, site.file, site.etag = 0, false, file, `"v1"`
			if _, err := s.Obtain(t.Context(), e, ""); err != nil {
				t.Fatal(err)
			}
			if after := site.seen(); len(after) != before+1 || after[before].Get("Range") == "" {
				t.Errorf("requests afterwards: %v, want one for the rest", after[before:])
			}
		})
	}
}

// A server that does not say which version of a file it has is asked to go on only where a checksum will tell whether the
// parts fit; if they do not, all of it is fetched once more.
func TestBrokenDownloadWithoutValidator(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	other := append([]byte("older"), file...)
	for _, c := range []struct {
		name, sum string
		first     []byte // what the server has while the connection breaks
		requests  int    // afterwards
	}{{"unknown checksum", "", file, 1}, {"known checksum", sha256Of(file), file, 1}, {"another file", sha256Of(file), other, 2}} {
		t.Run(c.name, func(t *testing.T) {
			site := newVendor(t, c.first)
			site.cut, site.cuts, site.etag, site.noRanges = len(file)/2, -1, "", true
			s := newStore(t)
			e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: c.sum, TrustFirstUse: c.sum == "", URLs: []string{site.URL + "/m.tar.gz"}})
			if _, err := s.Obtain(t.Context(), e, ""); !errors.As(err, new(*archive.BrokenError)) {
				t.Fatalf("error %v, want a broken connection", err)
			}
			if c.sum == "" {
				wantNothingLeft(t, s)
			}
			before := len(site.seen())
			site.cut, site.noRanges, site.file = 0, false, file
			if _, err := s.Obtain(t.Context(), e, ""); err != nil {
				t.Fatal(err)
			}
			after := site.seen()[before:]
			if ranged := after[0].Get("Range") != ""; len(after) != c.requests || ranged != (c.sum != "") || after[0].Get("If-Range") != "" {
				t.Errorf("requests afterwards: %v", after)
			}
		})
	}
}

func TestSlowServer(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	site := newVendor(t, file)
	site.pace(20 * time.Millisecond)
	s := newStore(t)
	s.Stall = 200 * time.Millisecond // longer than a pause, shorter than the whole
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{site.URL + "/m.tar.gz"}})
	if _, err := s.Obtain(t.Context(), e, ""); err != nil {
		t.Fatal(err)
	}
	if n := len(site.seen()); n != 1 {
		t.Errorf("%d requests, want one: slow is not broken", n)
	}
}

func TestSilentServer(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("some"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(hang.Close)
	s := newStore(t)
	s.Stall = 50 * time.Millisecond
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{TrustFirstUse: true, URLs: []string{hang.URL + "/m.tar.gz"}})
	_, err := s.Obtain(t.Context(), e, "")
	if err == nil || !strings.Contains(err.Error(), "nothing came for 50ms") {
		t.Errorf("error %v, want that nothing came", err)
	}
	wantNothingLeft(t, s)
}

func TestEndlessAnswer(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for chunk := make([]byte, 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	s := newStore(t)
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: strings.Repeat("0", 64), UnpackedSize: 1 << 20, URLs: []string{endless.URL + "/m.tar.gz"}})
	if _, err := s.Obtain(t.Context(), e, ""); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("error %v, want too many bytes", err)
	}
	wantNothingLeft(t, s)
}

// TestLyingLength: a server that announces more, or less, than it has.
func TestLyingLength(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	for _, off := range []int{+100, -100} {
		var honest atomic.Bool
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if honest.Load() {
				http.ServeContent(w, r, "m.tar.gz", time.Time{}, bytes.NewReader(file))
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(file)+off))
			_, _ = w.Write(file)
		}))
		s := newStore(t)
		e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{site.URL + "/m.tar.gz"}})
		if _, err := s.Obtain(t.Context(), e, ""); err == nil {
			t.Errorf("length off by %d: no error", off)
		}
		if off < 0 { // more than there was looks like a connection that broke, whose part is kept
			wantNothingLeft(t, s)
		}
		honest.Store(true)
		if _, err := s.Obtain(t.Context(), e, ""); err != nil {
			t.Errorf("length off by %d, and then right: %v", off, err)
		}
		site.Close()
	}
}

func TestWrongChecksum(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	tests := map[string]Tarball{
		"MD5":     {MD5: strings.Repeat("0", 32)},
		"SHA-256": {SHA256: strings.Repeat("0", 64), MD5: md5Of(file)},
		"SHA-512": {SHA512: strings.Repeat("0", 128)},
	}
	for algorithm, source := range tests {
		t.Run(algorithm, func(t *testing.T) {
			s := newStore(t)
			source.URLs = []string{newVendor(t, file).URL + "/m.tar.gz"}
			_, err := s.Obtain(t.Context(), tarballEntry(flavor.MySQL, "8.0", source), "")
			var wrong *archive.ChecksumError
			if !errors.As(err, &wrong) || wrong.Algorithm != algorithm {
				t.Errorf("error %v, want a wrong %s", err, algorithm)
			}
			wantNothingLeft(t, s)
		})
	}
}

func TestLockFileRefusesChange(t *testing.T) {
	first, second := gzipped(t, tarOf(t, serverEntries(mysqlVersion))), gzipped(t, tarOf(t, serverEntries(perconaVersion)))
	site := newVendor(t, first)
	s := newStore(t)
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{URLs: []string{site.URL + "/m.tar.gz"}})
	if _, err := s.Obtain(t.Context(), e, ""); !errors.As(err, new(*NoChecksumError)) {
		t.Fatalf("error %v, want that nobody vouches for the file", err)
	}
	e.Sources[0].Declared.(*Tarball).TrustFirstUse = true
	b, err := s.Obtain(t.Context(), e, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	site.file, site.etag = second, `"v2"`
	var wrong *archive.ChecksumError
	if _, err := s.Obtain(t.Context(), e, ""); !errors.As(err, &wrong) || wrong.Want != sha256Of(first) {
		t.Errorf("error %v, want that the lock file refuses the change", err)
	}
	e.Sources[0].Declared.(*Tarball).MD5 = md5Of(second) // even when matrix.yaml agrees
	if _, err := s.Obtain(t.Context(), e, ""); !errors.As(err, &wrong) || wrong.By != "the lock file" {
		t.Errorf("error %v, want that the lock file refuses the change", err)
	}
	wantNothingLeft(t, s)
}

func TestVendorAPI(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mariaVersion)))
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mariadb/10.11.9/" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"release_data":{"10.11.9":{"files":[{"file_name":"other.tar.gz","checksum":{"sha256sum":"00"}},
			{"file_name":"m.tar.gz","checksum":{"md5sum":"x","sha256sum":%q}}]}}}`, sha256Of(file))
	}))
	t.Cleanup(api.Close)
	for version, ok := range map[string]bool{"10.11.9": true, "10.11.8": false} {
		s := newStore(t)
		s.MariaDBAPI = api.URL
		e := tarballEntry(flavor.MariaDB, "10.11", Tarball{Version: version, VendorAPI: true, URLs: []string{newVendor(t, file).URL + "/m.tar.gz"}})
		_, err := s.Obtain(t.Context(), e, "")
		if (err == nil) != ok {
			t.Errorf("release %s: %v", version, err)
		}
		if !ok && (!errors.As(err, new(*NoChecksumError)) || !strings.Contains(err.Error(), "404")) {
			t.Errorf("release %s: %v, want no checksum and why", version, err)
		}
	}
}

func TestNextURLAndNextSource(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	s := newStore(t)
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{gone.URL + "/m.tar.gz", newVendor(t, file).URL + "/m.tar.gz"}})
	if _, err := s.Obtain(t.Context(), e, ""); err != nil {
		t.Errorf("second URL: %v", err)
	}
	s = newStore(t)
	dir := t.TempDir()
	writeServer(t, dir, mysqlVersion)
	e = tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{gone.URL + "/m.tar.gz"}})
	_, err := s.Obtain(t.Context(), e, "")
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || len(unavailable.Attempts) != 1 || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v, want an UnavailableError with one attempt", err)
	}
	e.Sources = append(e.Sources, matrix.Source{Declared: &Dir{Path: dir}})
	if b, err := s.Obtain(t.Context(), e, ""); err != nil || b.Source != "dir "+dir {
		t.Errorf("second source: %+v, %v", b, err)
	}
}

func TestWrongServer(t *testing.T) {
	tests := map[string]struct {
		entry matrix.Entry
		want  string
	}{
		"vendor":  {tarballEntry(flavor.Percona, "8.0", Tarball{}), "mysql 8.0.36, not percona"},
		"series":  {tarballEntry(flavor.MySQL, "8.4", Tarball{}), "not of the series 8.4"},
		"release": {matrix.Entry{Name: "mysql@8.0.21", Vendor: flavor.MySQL, Series: "8.0", Release: "8.0.21", Sources: []matrix.Source{{Declared: &Tarball{Version: "8.0.21"}}}}, "not 8.0.21"},
	}
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			source := test.entry.Sources[0].Declared.(*Tarball)
			source.SHA256, source.URLs = sha256Of(file), []string{newVendor(t, file).URL + "/m.tar.gz"}
			if _, err := s.Obtain(t.Context(), test.entry, ""); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			wantNothingLeft(t, s)
		})
	}
}

func TestCancelledDownload(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	site := newVendor(t, file)
	site.pace(20 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	s := newStore(t)
	s.Progress = func(string, int64, int64) { cancel() }
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{site.URL + "/m.tar.gz"}})
	_, err := s.Obtain(ctx, e, "")
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*UnavailableError)) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
}
