package matrix

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
)

func TestResolve(t *testing.T) {
	m := repository(t)
	for _, c := range []struct{ ref, name, series, release string }{
		{"mysql-8.0", "mysql-8.0", "8.0", ""},
		{"ps-8.0", "percona-8.0", "8.0", ""},
		{"maria-10.11", "mariadb-10.11", "10.11", ""},
		{"mysql@8.0.21", "mysql@8.0.21", "8.0", "8.0.21"},
		{"mysql@26.7.0", "mysql@26.7.0", "26.7", "26.7.0"},
		{"percona@8.0.36-28", "percona@8.0.36-28", "8.0", "8.0.36-28"},
		{"ps@8.0.36-28", "percona@8.0.36-28", "8.0", "8.0.36-28"},
		{"percona@5.6.45-86.1", "percona@5.6.45-86.1", "5.6", "5.6.45-86.1"},
		{"mariadb@10.6.9", "mariadb@10.6.9", "10.6", "10.6.9"},
		{"dir:/opt/my[1]", "dir:/opt/my[1]", "", ""},
	} {
		e, err := m.Resolve(c.ref)
		if err != nil {
			t.Errorf("%s: %v", c.ref, err)
			continue
		}
		if e.Name != c.name || e.Series != c.series || e.Release != c.release || len(e.Sources) == 0 {
			t.Errorf("%s: got %s, series %q, release %q, %d sources", c.ref, e.Name, e.Series, e.Release, len(e.Sources))
		}
	}
}

func TestResolveFolder(t *testing.T) {
	m := repository(t)
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Resolve("dir:./server")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Sources[0].Dir.Path, filepath.Join(here, "server"); got != want {
		t.Errorf("path %q, want %q", got, want)
	}
	if e.Vendor != flavor.VendorUnknown {
		t.Errorf("vendor %s is told before the binary is asked", e.Vendor)
	}
}

func TestResolveNothing(t *testing.T) {
	m := repository(t)
	var all strings.Builder
	for _, ref := range []string{
		"mysql-8.1", "mariadb10.11", "postgres-16", "", "mysql@8.0", "mysql@8.0.36-28", "mysql@v8.0.21", "mysql@",
		"percona@8.0.36", "mariadb@10.6", "msyql@8.0.21", "@8.0.21", "dir:",
	} {
		e, err := m.Resolve(ref)
		if err == nil {
			t.Errorf("%q is taken for %s", ref, e.Name)
			continue
		}
		fmt.Fprintf(&all, "%s\n", err)
	}
	golden(t, "testdata/unresolved.golden", all.String())
}

// The URLs of each generation of file names, and their order.
func TestArchiveURLs(t *testing.T) {
	m := repository(t)
	var all strings.Builder
	for _, ref := range []string{
		"mysql@5.1.73", "mysql@5.5.62", "mysql@5.6.44", "mysql@5.7.34", "mysql@8.0.11", "mysql@8.0.12", "mysql@8.0.16",
		"mysql@8.0.20", "mysql@8.0.21", "mysql@8.0.26", "mysql@8.0.33", "mysql@8.0.44", "mysql@8.4.8", "mysql@9.5.0", "mysql@9.6.0", "mysql@26.7.0",
		"percona@5.6.45-86.1", "percona@5.7.30-33", "percona@5.7.31-34", "percona@8.0.19-10", "percona@8.0.20-11",
		"percona@8.0.36-28", "percona@8.0.40-31", "percona@8.3.0-1", "percona@8.4.4-4",
		"mariadb@10.0.38", "mariadb@10.1.48", "mariadb@10.6.9", "mariadb@12.3.3",
	} {
		e, err := m.Resolve(ref)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, ref)
		for _, s := range e.Sources {
			if len(s.Tarball.URLs) == 0 || s.Tarball.Version != e.Release {
				t.Errorf("%s: %+v", ref, s.Tarball)
			}
			for i, url := range s.Tarball.URLs {
				fmt.Fprintf(&all, "  %s %s\n", map[bool]string{true: "-", false: " "}[i == 0], url)
				if path.Base(url) != path.Base(s.Tarball.URLs[0]) {
					t.Errorf("%s: one source of two files, which cannot have one checksum: %v", ref, s.Tarball.URLs)
				}
			}
		}
	}
	golden(t, "testdata/archives.golden", all.String())
}

// TestArchivesOfDbdeployer holds the patterns against the real URLs in the list that dbdeployer comes with:
// of every release there, one of the files is among those that a reference finds.
func TestArchivesOfDbdeployer(t *testing.T) {
	m := repository(t)
	published := dbdeployerTarballs(t)
	if len(published) < 40 { // 41 in v1.73.0
		t.Errorf("only %d releases in dbdeployer's list", len(published))
	}
	for ref, files := range published {
		e, err := m.Resolve(ref)
		if err != nil {
			t.Error(err)
			continue
		}
		found := slices.ContainsFunc(e.Sources, func(s Source) bool {
			return slices.Contains(files, path.Base(s.Tarball.URLs[0]))
		})
		if !found {
			t.Errorf("%s is published as %s; none of them is looked for", ref, strings.Join(files, ", "))
		}
	}
}

// dbdeployerTarballs are the files in dbdeployer's list that the vendors publish, by reference.
func dbdeployerTarballs(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", "github.com/datacharmer/dbdeployer").Output()
	if err != nil {
		t.Fatalf("go mod download: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "downloads", "tarball_list.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Tarballs []struct {
			Flavor, Version, OS string
			URL                 string `json:"url"`
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	published := map[string][]string{}
	for _, entry := range list.Tarballs {
		file := path.Base(entry.URL)
		vendor, release := entry.Flavor, entry.Version
		if !strings.Contains(entry.URL, "mysql.com/") && !strings.Contains(entry.URL, "percona.com/") ||
			!strings.EqualFold(entry.OS, "linux") || !strings.Contains(file, "x86_64") {
			continue
		}
		switch vendor {
		case "mysql":
		case "percona": // Percona-Server-8.0.36-28-Linux…
			release, _, _ = strings.Cut(strings.TrimPrefix(file, "Percona-Server-"), "-Linux")
		default:
			continue
		}
		published[vendor+"@"+release] = append(published[vendor+"@"+release], file)
	}
	return published
}

// What matrix.yaml pins by hand follows the patterns as well.
func TestArchivesOfMatrix(t *testing.T) {
	m := repository(t)
	for _, e := range m.Entries {
		for _, s := range e.Sources {
			if s.Tarball == nil || strings.Contains(s.Tarball.URLs[0], "mysql-docker-minimal") {
				continue // dbdeployer's own, smaller archives
			}
			r, err := m.Resolve(e.Vendor.String() + "@" + s.Tarball.Version)
			if err != nil {
				t.Error(err)
				continue
			}
			var urls []string
			for _, s := range r.Sources {
				urls = append(urls, s.Tarball.URLs...)
			}
			for _, url := range s.Tarball.URLs {
				if !slices.Contains(urls, url) {
					t.Errorf("%s: %s is not among %v", e.Name, url, urls)
				}
			}
		}
	}
}
