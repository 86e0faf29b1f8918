package tool

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/matrix"
)

// programPath is where the archives of these tests have their program.
const programPath = "usr/local/my-tool/my-tool"

// member is one file of an archive.
type member struct{ name, body string }

// published are the files of an archive whose program says a version, and reads what lies beside it.
func published(version string) []member {
	return []member{
		{"usr/local/my-tool/resources/page", "a page\n"},
		{programPath, "#!/bin/sh\ncat \"$(dirname \"$0\")/resources/page\" >/dev/null && echo 'my-tool " + version + ", built by its maintainers'\n"},
	}
}

// tarOf makes a tar archive, without run bits.
func tarOf(t *testing.T, members []member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		err := w.WriteHeader(&tar.Header{Name: "./" + m.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(m.body))})
		if _, writeErr := w.Write([]byte(m.body)); err != nil || writeErr != nil {
			t.Fatal(err, writeErr)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t *testing.T, members []member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(tarOf(t, members))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func xzOf(t *testing.T, members []member) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(tarOf(t, members))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t *testing.T, members []member) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(tarOf(t, members), nil)
}

func zipOf(t *testing.T, members []member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m.name)
		if err == nil {
			_, err = f.Write([]byte(m.body))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// serve is a site that has one file, whatever it is asked for.
func serve(t *testing.T, file []byte) *httptest.Server {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
	}))
	t.Cleanup(site.Close)
	return site
}

func sumOf(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func releaseRef(version string, source matrix.ToolRelease) matrix.ToolRef {
	if source.Path == "" {
		source.Path = programPath
	}
	return matrix.ToolRef{Name: "my-tool", Version: version, Source: matrix.ToolVersion{Version: version, Release: &source}}
}

// nothingLeft holds that a tool that could not be obtained is not in the cache, nor part of it.
func nothingLeft(t *testing.T, s *Store) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(s.Cache.Root(), kind))
	if err != nil && !errors.Is(err, os.ErrNotExist) || len(left) > 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}

// A published archive of each kind is fetched and verified once, and its program runs with what lies beside it.
func TestRelease(t *testing.T) {
	for name, file := range map[string][]byte{
		"my-tool.tar.gz":  gzipOf(t, published("3.2.6")),
		"my-tool.tgz":     gzipOf(t, published("v3.2.6")),
		"my-tool.tar.xz":  xzOf(t, published("3.2.6")),
		"my-tool.tar.zst": zstdOf(t, published("3.2.6")),
		"my-tool.zip":     zipOf(t, published("3.2.6")),
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			site := serve(t, file)
			ref := releaseRef("v3.2.6", matrix.ToolRelease{URL: site.URL + "/v3.2.6/" + name, SHA256: strings.ToUpper(sumOf(file))})
			p, err := store.Obtain(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimPrefix(p.Version, "v") != "3.2.6" || p.Name != "my-tool" || filepath.Join(p.Dir, "my-tool") != p.Path {
				t.Errorf("got %+v", p)
			}
			if _, err := os.Stat(filepath.Join(p.Dir, "resources", "page")); err != nil {
				t.Errorf("what the archive has beside the program: %v", err)
			}
			names, err := filepath.Glob(filepath.Join(store.Cache.Root(), kind, "*", "*"))
			if err != nil || len(names) != 2 {
				t.Errorf("kept: %v, %v; want what was unpacked and %s", names, err, programFile)
			}
			site.Close()
			again, err := store.Obtain(t.Context(), ref)
			if err != nil || again.Path != p.Path {
				t.Errorf("from the cache: %+v, %v", again, err)
			}
		})
	}
}

// A file of this machine is only read.
func TestReleaseOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "my tool.tar.gz")
	text := gzipOf(t, published("1.0"))
	if err := os.WriteFile(file, text, 0o444); err != nil {
		t.Fatal(err)
	}
	ref := releaseRef("1.0", matrix.ToolRelease{URL: (&url.URL{Scheme: "file", Path: file}).String(), SHA256: sumOf(text)})
	if _, err := newStore(t).Obtain(t.Context(), ref); err != nil {
		t.Error(err)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, text) {
		t.Errorf("the file has changed: %v", err)
	}
}

// A declared tool may not say its version.
func TestReleaseOfADeclaredTool(t *testing.T) {
	file := gzipOf(t, []member{{programPath, "#!/bin/sh\nexit 1\n"}})
	ref := releaseRef("2.0", matrix.ToolRelease{URL: serve(t, file).URL + "/a.tar.gz", SHA256: sumOf(file)})
	ref.Source.Declared = &matrix.OwnTool{}
	if p, err := newStore(t).Obtain(t.Context(), ref); err != nil || p.Version != "2.0" {
		t.Errorf("got %+v, %v", p, err)
	}
}

// header is the beginning of an ELF program for a kind of machine.
func header(t *testing.T, machine elf.Machine) string {
	t.Helper()
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// An archive that cannot be downloaded, verified or used ends with one sentence that says what to do, and leaves no files.
func TestReleaseUnavailable(t *testing.T) {
	whole := gzipOf(t, published("3.2.6"))
	foreign, foreignName := elf.EM_AARCH64, "arm64"
	if runtime.GOARCH == foreignName {
		foreign, foreignName = elf.EM_X86_64, "amd64"
	}
	const other = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"
	for name, c := range map[string]struct {
		file []byte
		ref  matrix.ToolRelease
		want string
	}{
		"another checksum": {whole, matrix.ToolRelease{SHA256: other},
			"download URL: my-tool.tar.gz: SHA-256 is " + sumOf(whole) + ", but matrix.yaml says " + other + ": refused: correct sha256 in matrix.yaml if that is what its maintainers say"},
		"truncated, and so its checksum is another": {whole[:len(whole)/2], matrix.ToolRelease{SHA256: sumOf(whole)}, "but matrix.yaml says " + sumOf(whole) + ": refused"},
		"truncated as declared":                     {whole[:len(whole)/2], matrix.ToolRelease{}, "URL: unpack my-tool.tar.gz: archive is cut off: unexpected EOF: name another archive in matrix.yaml"},
		"no archive":                                {[]byte("<html>"), matrix.ToolRelease{}, "name another archive in matrix.yaml"},
		"no such path":                              {whole, matrix.ToolRelease{Path: "usr/bin/my-tool"}, "URL has no file usr/bin/my-tool: correct path in matrix.yaml"},
		"a folder":                                  {whole, matrix.ToolRelease{Path: "usr/local/my-tool"}, "URL has no file usr/local/my-tool: correct path in matrix.yaml"},
		"an entry that leaves the folder":           {gzipOf(t, append(published("3.2.6"), member{"usr/../../evil", "x"})), matrix.ToolRelease{}, `archive refused: entry "./usr/../../evil" leaves the folder`},
		"another version":                           {gzipOf(t, published("3.2.7")), matrix.ToolRelease{}, "URL: its program says that it is version 3.2.7: correct version in matrix.yaml"},
		"a program that does not start":             {gzipOf(t, published("' && exit 127 #")), matrix.ToolRelease{}, "URL: ask my-tool for its version: "},
		"another kind of machine": {gzipOf(t, []member{{programPath, header(t, foreign)}}), matrix.ToolRelease{},
			"URL: its program is for " + foreignName + ", and this machine is " + runtime.GOARCH + ": build one for it, and name it: --tool my-tool=/path/to/my-tool"},
		"a machine that Go has no name for": {gzipOf(t, []member{{programPath, header(t, elf.EM_SPARCV9)}}), matrix.ToolRelease{}, "its program is for EM_SPARCV9, and this machine is"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			c.ref.URL = serve(t, c.file).URL + "/my-tool.tar.gz"
			if c.ref.SHA256 == "" {
				c.ref.SHA256 = sumOf(c.file)
			}
			_, err := store.Obtain(t.Context(), releaseRef("v3.2.6", c.ref))
			if want := strings.ReplaceAll(c.want, "URL", c.ref.URL); !errors.As(err, new(*UnavailableError)) || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if strings.Contains(name, "leaves") && !errors.As(err, new(*archive.HostileError)) {
				t.Errorf("it is not refused as hostile: %v", err)
			}
			nothingLeft(t, store)
		})
	}
}

// A site that is not reached, that has no such file, and whose connections break are told at once.
func TestReleaseNotFetched(t *testing.T) {
	whole := gzipOf(t, published("3.2.6"))
	silent := httptest.NewServer(nil)
	silent.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	breaking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(whole[:10])
	}))
	t.Cleanup(breaking.Close)
	const own = "fetch it elsewhere, unpack it, and name the program: --tool my-tool=/path/to/my-tool"
	missing := filepath.Join(t.TempDir(), "my-tool.tar.gz")
	for address, want := range map[string]string{
		silent.URL + "/my-tool.tar.gz": "tool my-tool v3.2.6 cannot be obtained: URL: not reached: " + silent.Listener.Addr().String() +
			" (connect: connection refused): set HTTPS_PROXY, or " + own,
		gone.URL + "/my-tool.tar.gz": "tool my-tool v3.2.6 cannot be obtained: download URL: the server answers 404 Not Found: " +
			"correct url in matrix.yaml if it is published elsewhere, or " + own,
		breaking.URL + "/my-tool.tar.gz": "download URL: the connection broke after 10 of 1000000 bytes: unexpected EOF",
		"file://" + missing:              "no such file or directory: correct url in matrix.yaml",
	} {
		store := newStore(t)
		begin := time.Now()
		_, err := store.Obtain(t.Context(), releaseRef("v3.2.6", matrix.ToolRelease{URL: address, SHA256: sumOf(whole)}))
		want = strings.ReplaceAll(want, "URL", address)
		if !errors.As(err, new(*UnavailableError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if took := time.Since(begin); took > reachLimit {
			t.Errorf("%s: it took %s", address, took)
		}
		nothingLeft(t, store)
	}
}

// The end of a run is no word on the archive.
func TestReleaseInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(site.Close)
	store := newStore(t)
	_, err := store.Obtain(ctx, releaseRef("v3.2.6", matrix.ToolRelease{URL: site.URL + "/my-tool.tar.gz", SHA256: strings.Repeat("0", 64)}))
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*UnavailableError)) {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, store)
}
