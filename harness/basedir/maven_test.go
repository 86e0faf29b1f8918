package basedir

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

// zipOf makes a zip file; an entry's kind is as in a tar archive.
func zipOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(0o644) // run bits are lost, as in a jar
		body := e.body
		switch e.kind {
		case tar.TypeDir:
			h.SetMode(0o755 | fs.ModeDir)
		case tar.TypeSymlink:
			h.SetMode(0o777 | fs.ModeSymlink)
			body = e.link
		case tar.TypeChar:
			h.SetMode(0o644 | fs.ModeDevice | fs.ModeCharDevice)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// artifactServer are the files of a server as an artifact has them, below a folder.
func artifactServer(below string) []entry {
	return []entry{
		{name: below + "bin/mysqld", kind: tar.TypeReg, body: "#!/bin/sh\necho '" + mysqlVersion + "'\n"},
		{name: below + "bin/mysqld-debug", kind: tar.TypeReg, body: noise(1 << 10)},
		{name: below + "share/english/errmsg.sys", kind: tar.TypeReg, body: noise(8 << 10)},
		{name: below + "lib/plugin/semisync_master.so", kind: tar.TypeReg, body: "x"},
		{name: below + "lib/libmysqld.a", kind: tar.TypeReg, body: "x"},
		{name: below + "libs/libjemalloc.so.1", kind: tar.TypeReg, body: "x"},
		{name: below + "support-files/my-default.cnf", kind: tar.TypeReg, body: "x"},
		{name: below + "support-files/mysql.server", kind: tar.TypeReg, body: "x"},
		{name: below + "mysql-test/t/a.test", kind: tar.TypeReg, body: "x"},
	}
}

// fakeMaven puts a mvn on PATH that copies one file, as dependency:copy does.
func fakeMaven(t *testing.T, artifact []byte) {
	t.Helper()
	dir := t.TempDir()
	jar := filepath.Join(dir, "server.jar")
	program := fmt.Sprintf(`#!/bin/sh
for option; do case $option in -DoutputDirectory=*) folder=${option#*=} ;; esac; done
mkdir -p "$folder" && cp %q "$folder/server.jar"
`, jar)
	if err := errors.Join(os.WriteFile(jar, artifact, 0o644), os.WriteFile(filepath.Join(dir, "mvn"), []byte(program), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func mavenEntry(m Maven) matrix.Entry {
	m.Version, m.Artifact = "8.0.36", "org.example:server:1"
	return matrix.Entry{Name: "mysql-8.0", Vendor: flavor.MySQL, Series: "8.0", Sources: []matrix.Source{{Declared: &m}}}
}

// TestObtainMaven: what is used of the artifact lies in the layout of a vendor's tarball, and its programs run.
func TestObtainMaven(t *testing.T) {
	inner := gzipped(t, tarOf(t, artifactServer("")))
	for name, test := range map[string]struct {
		artifact []byte
		source   Maven
	}{
		"an archive in the artifact": {zipOf(t, []entry{{name: "a.class", kind: tar.TypeReg, body: "x"}, {name: "mysql-Linux.tar.gz", kind: tar.TypeReg, body: string(inner)}}),
			Maven{Archive: "mysql-Linux.tar.gz"}},
		"a folder in the artifact": {zipOf(t, append(artifactServer("org/server/linux/"), entry{name: "org/server/other", kind: tar.TypeReg})), Maven{Path: "org/server/linux"}},
		"the whole artifact":       {zipOf(t, artifactServer("")), Maven{}},
	} {
		t.Run(name, func(t *testing.T) {
			fakeMaven(t, test.artifact)
			s := newStore(t)
			test.source.SHA256 = sha256Of(test.artifact)
			e := mavenEntry(test.source)
			b, err := s.Obtain(t.Context(), e, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"bin/mysqld", "bin/mysqld_safe", "share/english/errmsg.sys", "lib/plugin/semisync_master.so", "lib/private/libjemalloc.so.1", "support-files/my-default.cnf"} {
				if _, err := os.Stat(filepath.Join(b.Path, file)); err != nil {
					t.Error(err)
				}
			}
			for _, file := range []string{"bin/mysqld-debug", "lib/libmysqld.a", "mysql-test", "libs", "support-files/mysql.server"} {
				if exists(filepath.Join(b.Path, file)) {
					t.Errorf("%s, which nothing uses, was kept", file)
				}
			}
			if left := strings.Join(leftovers(t, s), " "); strings.Contains(left, "downloads") {
				t.Errorf("the artifact stayed: %s", left)
			}
			if cached, ok := s.Cached(e); !ok || cached.Path != b.Path {
				t.Errorf("cached: %v, %t", cached, ok)
			}
		})
	}
}

func TestHostileArtifacts(t *testing.T) {
	for name, test := range map[string]struct {
		entries []entry
		limit   int64
		want    string
	}{
		"absolute path":     {entries: []entry{{name: "/tmp/evil", kind: tar.TypeReg}}, want: "leaves the folder"},
		"path upwards":      {entries: []entry{{name: "bin/../../evil", kind: tar.TypeReg}}, want: "leaves the folder"},
		"absolute link":     {entries: []entry{{name: "lib/plugin/l.so", kind: tar.TypeSymlink, link: "/etc/passwd"}}, want: "outside the folder"},
		"link upwards":      {entries: []entry{{name: "lib/plugin/l.so", kind: tar.TypeSymlink, link: "../../../evil"}}, want: "outside the folder"},
		"dangling link":     {entries: []entry{{name: "lib/plugin/l.so", kind: tar.TypeSymlink, link: "nowhere.so"}}, want: "leads nowhere"},
		"character device":  {entries: []entry{{name: "lib/plugin/null", kind: tar.TypeChar}}, want: "no file, folder or link"},
		"more than allowed": {entries: []entry{{name: "share/big", kind: tar.TypeReg, body: strings.Repeat("0", 3<<20)}}, limit: 2 << 20, want: "beyond 2097152 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			entries := append(artifactServer(""), test.entries...)
			inner := zipOf(t, []entry{{name: "m.tar.gz", kind: tar.TypeReg, body: string(gzipped(t, tarOf(t, entries)))}})
			for inside, artifact := range map[string][]byte{"": zipOf(t, entries), "m.tar.gz": inner} {
				fakeMaven(t, artifact)
				s := newStore(t)
				_, err := s.Obtain(t.Context(), mavenEntry(Maven{SHA256: sha256Of(artifact), Archive: inside, UnpackedSize: test.limit}), "")
				if !errors.As(err, new(*archive.HostileError)) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("archive %q: error %v, want a refusal with %q", inside, err, test.want)
				}
				wantNothingLeft(t, s)
			}
		})
	}
}

// An artifact is compared before it is opened, and a broken one leaves nothing.
func TestChangedAndTruncatedArtifacts(t *testing.T) {
	whole := zipOf(t, artifactServer(""))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, test := range map[string]struct {
		artifact []byte
		sum      string
		want     string
	}{
		"changed":                {flipped, sha256Of(whole), "SHA-256 is " + sha256Of(flipped)},
		"truncated":              {whole[:len(whole)/2], sha256Of(whole), "SHA-256 is"},
		"declared and truncated": {whole[:len(whole)/2], sha256Of(whole[:len(whole)/2]), "zip: not a valid zip file"},
		"declared and changed":   {flipped, sha256Of(flipped), "unpack server.jar"},
		"empty":                  {nil, sha256Of(nil), "not a valid zip file"},
	} {
		t.Run(name, func(t *testing.T) {
			fakeMaven(t, test.artifact)
			s := newStore(t)
			_, err := s.Obtain(t.Context(), mavenEntry(Maven{SHA256: test.sum}), "")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			wantNothingLeft(t, s)
		})
	}
}

func TestMavenIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := newStore(t)
	_, err := s.Obtainable(t.Context(), mavenEntry(Maven{SHA256: sha256Of(nil)}))
	if err == nil || !strings.Contains(err.Error(), "it needs mvn (apt-get install maven)") {
		t.Errorf("without mvn: %v", err)
	}
}

func TestMavenProgress(t *testing.T) {
	var done, total int64
	p := &mavenProgress{name: "x", report: func(_ string, d, of int64) { done, total = d, of }}
	for line, want := range map[string][2]int64{
		"Progress (1): 12/149 MB\r":            {12e6, 149e6},
		"Progress (1): 1.2/1.9 kB\r":           {1200, 1900},
		"Progress (2): s.jar (300 kB/18 MB)\r": {300e3, 18e6},
	} {
		if _, err := p.Write([]byte(line)); err != nil || done != want[0] || total != want[1] {
			t.Errorf("%q: %d of %d, want %v", line, done, total, want)
		}
	}
	if _, err := p.Write([]byte("[INFO] Scanning\n[ERROR] Could not find artifact a:b:1\n[ERROR] \n[ERROR] -> [Help 1]\n")); err != nil {
		t.Fatal(err)
	}
	if got := p.errors(); !strings.HasPrefix(got, "Could not find artifact a:b:1\n") {
		t.Errorf("errors: %q", got)
	}
}

func zstdOf(t *testing.T, plain []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(plain, nil)
}

func TestZstdArchives(t *testing.T) {
	file := zstdOf(t, tarOf(t, serverEntries(mysqlVersion)))
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"m.tar.zst":        {file, ""},
		"m.tar.zstd":       {file, ""},
		"cut.tar.zstd":     {file[:len(file)/2], "cut off"},
		"hostile.tar.zstd": {zstdOf(t, tarOf(t, append(serverEntries(mysqlVersion), entry{name: "top/../../evil", kind: tar.TypeReg, body: "x"}))), "leaves the folder"},
		"bomb.tar.zstd":    {zstdOf(t, tarOf(t, append(serverEntries(mysqlVersion), entry{name: "top/big", kind: tar.TypeReg, body: strings.Repeat("0", 8<<20)}))), "beyond"},
		"none.tar.zstd":    {[]byte("not zstd"), "unpack none.tar.zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(test.file), UnpackedSize: 4 << 20, URLs: []string{newVendor(t, test.file).URL + "/" + name}})
			_, err := s.Obtain(t.Context(), e, "")
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			wantNothingLeft(t, s)
		})
	}
}
