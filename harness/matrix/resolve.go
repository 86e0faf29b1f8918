package matrix

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Resolve finds the entry that a reference means: a name of the file (mysql-8.0), an exact release by the
// vendors' URL patterns (mysql@8.0.21, percona@8.0.36-28, mariadb@10.6.9), or an installation (dir:/path).
func (m *Matrix) Resolve(ref string) (Entry, error) {
	for _, e := range m.Entries {
		if e.Name == ref {
			return e, nil
		}
	}
	if path, ok := strings.CutPrefix(ref, "dir:"); ok {
		absolute, err := filepath.Abs(path)
		if err != nil || path == "" {
			return Entry{}, errors.Join(fmt.Errorf("entry %q: want dir:/path/to/basedir", ref), err)
		}
		return Entry{Name: ref, Tier: TierFull, Sources: []Source{{Dir: &Dir{Path: absolute}}}}, nil
	}
	if vendor, release, ok := strings.Cut(ref, "@"); ok {
		return exactRelease(ref, vendor, release)
	}
	return Entry{}, fmt.Errorf("no entry %q; %s; an exact release is written mysql@8.0.21, percona@8.0.36-28 or mariadb@10.6.9, an installation dir:/path",
		ref, suggest(ref, m.entryNames()))
}

var (
	releasePattern = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	perconaPattern = regexp.MustCompile(`^\d+\.\d+\.\d+-\d+$`)
)

func exactRelease(ref, vendorName, release string) (Entry, error) {
	if vendorName == "ps" { // dbdeployer's word for it
		vendorName = "percona"
	}
	vendor, err := flavor.ParseVendor(vendorName)
	if err != nil {
		return Entry{}, fmt.Errorf("entry %q: %w", ref, err)
	}
	pattern, example := releasePattern, "8.0.21"
	if vendor == flavor.Percona {
		pattern, example = perconaPattern, "8.0.36-28"
	}
	if !pattern.MatchString(release) {
		return Entry{}, fmt.Errorf("entry %q: want an exact release such as %s@%s", ref, vendor, example)
	}
	version, err := flavor.ParseVersion(release)
	if err != nil {
		return Entry{}, fmt.Errorf("entry %q: %w", ref, err)
	}
	t := &Tarball{Version: release}
	switch vendor {
	case flavor.MySQL:
		t.URLs = mysqlURLs(version)
	case flavor.Percona:
		t.URLs = perconaURLs(version, release)
	case flavor.MariaDB:
		t.URLs, t.VendorAPI = mariadbURLs(version), true
	}
	return Entry{Name: vendor.String() + "@" + release, Vendor: vendor, Series: version.Series(), Release: release, Tier: TierFull,
		Sources: []Source{{Tarball: t}}}, nil
}

// mysqlURLs are where Oracle keeps a release: the current one under Downloads, older ones in the archives.
// The names changed over time: .tar.gz for glibc 2.12 until 8.0.11, then .tar.xz; without debug symbols as
// "minimal" from 8.0.16, for glibc 2.17 from 8.0.22.
func mysqlURLs(v flavor.Version) []string {
	var suffixes []string
	switch {
	case v.AtLeast(8, 0, 22):
		suffixes = []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.28-x86_64.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(8, 0, 16):
		suffixes = []string{"linux-x86_64-minimal.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(8, 0, 12):
		suffixes = []string{"linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(5, 5, 0):
		suffixes = []string{"linux-glibc2.12-x86_64.tar.gz", "linux-glibc2.5-x86_64.tar.gz", "linux2.6-x86_64.tar.gz"}
	default:
		suffixes = []string{"linux-x86_64-glibc23.tar.gz"}
	}
	var urls []string
	for _, suffix := range suffixes {
		file := fmt.Sprintf("mysql-%s-%s", v, suffix)
		urls = append(urls,
			fmt.Sprintf("https://dev.mysql.com/get/Downloads/MySQL-%s/%s", v.Series(), file),
			"https://downloads.mysql.com/archives/get/p/23/file/"+file)
	}
	return urls
}

// perconaURLs are where Percona keeps a release, for the glibc versions that it has built for.
func perconaURLs(v flavor.Version, release string) []string {
	var urls []string
	for _, glibc := range []string{"glibc2.17-minimal", "glibc2.35-minimal", "glibc2.12-minimal", "glibc2.28-minimal"} {
		urls = append(urls, fmt.Sprintf(
			"https://downloads.percona.com/downloads/Percona-Server-%s/Percona-Server-%s/binary/tarball/Percona-Server-%s-Linux.x86_64.%s.tar.gz",
			v.Series(), release, release, glibc))
	}
	return urls
}

// mariadbURLs are where MariaDB keeps a release; builds with systemd support have been named so since 10.1.
func mariadbURLs(v flavor.Version) []string {
	var urls []string
	for _, build := range []string{"linux-systemd-x86_64", "linux-x86_64", "linux-glibc_214-x86_64"} {
		urls = append(urls, fmt.Sprintf("https://archive.mariadb.org/mariadb-%s/bintar-%s/mariadb-%s-%s.tar.gz", v, build, v, build))
	}
	return slices.Compact(urls)
}
