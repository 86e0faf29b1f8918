package basedir

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulikunitz/xz"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

const (
	mysqlVersion   = "mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)"
	perconaVersion = "mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server (GPL), Release 28, Revision 47601f19)"
	mariaVersion   = "mysqld  Ver 10.11.9-MariaDB for linux-systemd on x86_64 (MariaDB Server)"
)

// entry is one thing in an archive.
type entry struct {
	name, body, link string
	kind             byte
}

// serverEntries are the smallest thing that passes for a server: a program that says its version.
func serverEntries(version string) []entry {
	return []entry{
		{name: "top/", kind: tar.TypeDir},
		{name: "top/bin/", kind: tar.TypeDir},
		{name: "top/bin/mysqld", kind: tar.TypeReg, body: "#!/bin/sh\necho '" + version + "'\n"},
		{name: "top/bin/mysqld_safe", kind: tar.TypeSymlink, link: "mysqld"},
		{name: "top/share/errmsg.sys", kind: tar.TypeReg, body: noise(8 << 10)},
		{name: "top/share/copy.sys", kind: tar.TypeLink, link: "top/share/errmsg.sys"},
	}
}

// noise is text that does not compress, so that an archive takes more than one packet.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

func tarOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o755, Size: int64(len(e.body)), Format: tar.FormatPAX}
		if e.kind != tar.TypeReg {
			h.Size = 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func gzipped(t *testing.T, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func xzipped(t *testing.T, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := xz.NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func sha256Of(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
func sha512Of(b []byte) string { s := sha512.Sum512(b); return hex.EncodeToString(s[:]) }
func md5Of(b []byte) string    { s := md5.Sum(b); return hex.EncodeToString(s[:]) }

// vendor is a download site whose connections break as told.
type vendor struct {
	*httptest.Server
	file     []byte
	etag     string
	cut      int  // bytes after which a connection breaks; 0 is never
	cuts     int  // how many connections break; -1 is all
	noRanges bool // answers every request with the whole file
	trickle  time.Duration

	mu       sync.Mutex
	requests []http.Header
}

func newVendor(t *testing.T, file []byte) *vendor {
	v := &vendor{file: file, etag: `"v1"`}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	trickle := v.trickle
	v.requests = append(v.requests, r.Header.Clone())
	breaks := v.cut > 0 && v.cuts != 0
	if breaks && v.cuts > 0 {
		v.cuts--
	}
	v.mu.Unlock()
	if v.noRanges {
		r.Header.Del("Range")
	}
	if v.etag != "" {
		w.Header().Set("ETag", v.etag)
	}
	if breaks {
		w = &cutWriter{ResponseWriter: w, left: v.cut}
	}
	if trickle > 0 {
		w = &slowWriter{ResponseWriter: w, pause: trickle, done: r.Context().Done()}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(v.file))
}

func (v *vendor) seen() []http.Header {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests
}

// cutWriter breaks the connection after some bytes of the body.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if len(p) >= c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// slowWriter sends little at a time.
type slowWriter struct {
	http.ResponseWriter
	pause time.Duration
	done  <-chan struct{}
}

func (s *slowWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		m, err := s.ResponseWriter.Write(p[:min(len(p), 512)])
		n, p = n+m, p[m:]
		if err != nil {
			return n, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		select {
		case <-time.After(s.pause):
		case <-s.done:
			return n, io.ErrClosedPipe
		}
	}
	return n, nil
}

// tarballEntry declares a vendor's file.
func tarballEntry(v flavor.Vendor, series string, source Tarball) matrix.Entry {
	if source.Version == "" {
		source.Version = series + ".0"
	}
	return matrix.Entry{Name: v.String() + "-" + series, Vendor: v, Series: series, Sources: []matrix.Source{{Declared: &source}}}
}

func newStore(t *testing.T) *Store {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Store{Cache: c, Log: func(text string) { t.Log(text) }, LockFile: filepath.Join(t.TempDir(), "basedirs.lock"), Stall: 5 * time.Second}
}

// leftovers lists every file in the cache that is no lock.
func leftovers(t *testing.T, s *Store) (files []string) {
	t.Helper()
	err := filepath.WalkDir(s.Cache.Root(), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.Cache.Root(), path)
		if !e.IsDir() && !strings.HasPrefix(rel, "locks/") || strings.HasPrefix(rel, "basedirs/") {
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantNothingLeft(t *testing.T, s *Store) {
	t.Helper()
	if files := leftovers(t, s); len(files) > 0 {
		t.Errorf("left in the cache: %s", strings.Join(files, ", "))
	}
}

func writeServer(t *testing.T, dir, version string) {
	t.Helper()
	path := filepath.Join(dir, "bin", "mysqld")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\necho '%s'\n", version), 0o755); err != nil {
		t.Fatal(err)
	}
}

// pace sets how long the site pauses between the pieces that it sends.
func (v *vendor) pace(pause time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trickle = pause
}

// withoutNetwork is a client of a machine without a network.
func withoutNetwork() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}}}
}
