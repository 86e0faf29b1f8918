package basedir

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file, or writes the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", filepath.Base(file), got)
	}
}

// repository is this project's own matrix.yaml.
func repository(t *testing.T) *matrix.Matrix {
	t.Helper()
	m, err := matrix.Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// archivesOf are the archives that the vendor of a reference would have for a release that is not listed.
func archivesOf(t *testing.T, ref string) [][]string {
	t.Helper()
	e, err := repository(t).Resolve(ref)
	if err != nil {
		t.Fatal(err)
	}
	version, err := flavor.ParseVersion(e.Release)
	if err != nil {
		t.Fatal(err)
	}
	return archives(e.Vendor, version, e.Release)
}

func tarballOf(s matrix.Source) *Tarball {
	t, _ := s.Declared.(*Tarball)
	return t
}

func isTarball(s matrix.Source) bool { return tarballOf(s) != nil }

// The URLs of each generation of file names, and their order.
func TestArchiveURLs(t *testing.T) {
	var all strings.Builder
	for _, ref := range []string{
		"mysql@5.1.73", "mysql@5.5.62", "mysql@5.6.44", "mysql@5.7.34", "mysql@8.0.11", "mysql@8.0.12", "mysql@8.0.16",
		"mysql@8.0.20", "mysql@8.0.21", "mysql@8.0.26", "mysql@8.0.33", "mysql@8.0.44", "mysql@8.4.8", "mysql@9.5.0", "mysql@9.6.0", "mysql@26.7.0",
		"percona@5.6.45-86.1", "percona@5.7.30-33", "percona@5.7.31-34", "percona@8.0.19-10", "percona@8.0.20-11",
		"percona@8.0.36-28", "percona@8.0.40-31", "percona@8.3.0-1", "percona@8.4.4-4",
		"mariadb@10.0.38", "mariadb@10.1.48", "mariadb@10.6.9", "mariadb@12.3.3",
	} {
		fmt.Fprintln(&all, ref)
		for _, urls := range archivesOf(t, ref) {
			for i, url := range urls {
				fmt.Fprintf(&all, "  %s %s\n", map[bool]string{true: "-", false: " "}[i == 0], url)
				if path.Base(url) != path.Base(urls[0]) {
					t.Errorf("%s: one archive of two files, which cannot have one checksum: %v", ref, urls)
				}
			}
		}
	}
	golden(t, "testdata/archives.golden", all.String())
}

// TestArchivesOfDbdeployer holds the patterns against the real URLs in the list that dbdeployer comes with:
// of every release there, one of the files is among those that a reference finds.
func TestArchivesOfDbdeployer(t *testing.T) {
	published := dbdeployerTarballs(t)
	if len(published) < 40 { // 41 in v1.73.0
		t.Errorf("only %d releases in dbdeployer's list", len(published))
	}
	for ref, files := range published {
		found := slices.ContainsFunc(archivesOf(t, ref), func(urls []string) bool { return slices.Contains(files, path.Base(urls[0])) })
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

// Nobody's word is taken for a vendor's archive but the vendor's, over a connection that is his.
func TestArchivesOfMatrixAreVouchedFor(t *testing.T) {
	hosts := []string{"dev.mysql.com", "downloads.mysql.com", "downloads.percona.com", "archive.mariadb.org", "raw.githubusercontent.com"}
	for _, e := range repository(t).Entries {
		for _, s := range e.Sources {
			if !isTarball(s) {
				continue
			}
			if !tarballOf(s).hasChecksum() && !tarballOf(s).VendorAPI || tarballOf(s).TrustFirstUse {
				t.Errorf("%s: nobody vouches for %v", e.Name, tarballOf(s).URLs)
			}
			for _, one := range tarballOf(s).URLs {
				if u, err := url.Parse(one); err != nil || u.Scheme != "https" || !slices.Contains(hosts, u.Host) {
					t.Errorf("%s: %s is at no vendor's", e.Name, one)
				}
			}
		}
	}
}
