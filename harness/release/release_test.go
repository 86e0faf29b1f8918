package release

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
)

func list(t *testing.T) List {
	t.Helper()
	l, err := Published()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPublished(t *testing.T) {
	hosts := []string{"dev.mysql.com", "downloads.mysql.com", "downloads.percona.com", "www.percona.com", "archive.mariadb.org", "github.com", "raw.githubusercontent.com"}
	seen := map[string]bool{}
	for _, a := range list(t) {
		for _, one := range a.URLs() {
			if u, err := url.Parse(one); err != nil || u.Scheme != "https" || !slices.Contains(hosts, u.Host) {
				t.Errorf("%s %s: %s", a.Vendor, a.Release, one)
			}
		}
		if !strings.Contains(a.URL, a.Version.String()) {
			t.Errorf("%s is listed as %s", a.URL, a.Release)
		}
		if seen[a.URL] {
			t.Errorf("%s is listed twice", a.URL)
		}
		seen[a.URL] = true
	}
	if len(seen) < 400 {
		t.Errorf("only %d archives", len(seen))
	}
}

func TestBestArchive(t *testing.T) {
	bookworm := Machine{"amd64", "2.36"}
	for _, c := range []struct {
		vendor  flavor.Vendor
		release string // or a line
		machine Machine
		want    string // part of the first URL; "" for none
	}{
		{flavor.MySQL, "8.0.28", bookworm, "mysql-8.0.28-linux-glibc2.17-x86_64-minimal.tar.xz"},
		{flavor.MySQL, "8.0.28", Machine{"arm64", "2.36"}, ""},
		{flavor.MySQL, "8.0.33", Machine{"arm64", "2.36"}, "mysql-8.0.33-linux-glibc2.17-aarch64-minimal.tar.xz"},
		{flavor.MySQL, "8.4", bookworm, "mysql-8.4.11-ubuntu-22.04-x64.tar.zstd"},
		{flavor.MySQL, "8.4", Machine{"amd64", "2.41"}, "mysql-8.4.11-ubuntu-24.04-x64.tar.zstd"},
		{flavor.MySQL, "8.4", Machine{"arm64", "2.35"}, "mysql-8.4.11-ubuntu-22.04-arm64.tar.zstd"},
		{flavor.MySQL, "8.4", Machine{"amd64", "2.31"}, "mysql-8.4.8-linux-glibc2.17-x86_64-minimal.tar.xz"},
		{flavor.MySQL, "26", bookworm, "mysql-26.7.0-ubuntu-22.04-x64.tar.zstd"},
		{flavor.Percona, "8.0.36-28", bookworm, "Percona-Server-8.0.36-28-Linux.x86_64.glibc2.17-minimal.tar.gz"},
		{flavor.Percona, "8.0", Machine{"amd64", "2.31"}, "Percona-Server-8.0.36-28-Linux"}, // newer ones are built for glibc 2.35
		{flavor.MariaDB, "11.4", bookworm, "mariadb-11.4.12-ubuntu-22.04-x64.tar.zstd"},
		{flavor.MariaDB, "11.4.9", bookworm, "mariadb-11.4.9-linux-systemd-x86_64.tar.gz"},
		{flavor.MySQL, "8.0.29", bookworm, ""},
	} {
		of := list(t).Of(c.vendor, c.release).For(c.machine)
		if strings.Count(c.release, ".") < 2 {
			of = list(t).Line(c.vendor, c.release).Newest(c.machine)
		}
		if c.want == "" && len(of) > 0 || c.want != "" && (len(of) == 0 || !strings.Contains(of[0].URL, c.want)) {
			t.Errorf("%s %s on %v: %v, want %q", c.vendor, c.release, c.machine, of, c.want)
		}
	}
	newest := list(t).Line(flavor.MySQL, "8.4").Newest(bookworm)
	if last := newest[len(newest)-1]; last.Release != "8.4.8" || last.Kind == Build {
		t.Errorf("the last resort of 8.4 is %s: want the vendor's newest", last.URL)
	}
}

func TestBadLists(t *testing.T) {
	good := "mysql\t8.0.28\tamd64\tvendor\thttps://x/a.tar.xz\tmd5:" + strings.Repeat("0", 32)
	for name, line := range map[string]string{
		"want 6": "mysql\t8.0.28", "vendor": strings.Replace(good, "mysql", "msyql", 1), "version": strings.Replace(good, "8.0.28", "eight", 1),
		"kind": strings.Replace(good, "vendor", "build solaris", 1), "checksum": good[:len(good)-1],
	} {
		if _, err := Parse("# x\n" + good + "\n" + line + "\n"); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "releases.tsv:3:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
