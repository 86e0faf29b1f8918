package basedir

import (
	"fmt"

	"mysqlmatrix/harness/flavor"
)

// archives are the files that a release may be published as, best first, each with the places that have it:
// where current releases are, and where older ones go. Each is a source of its own, since each has its own
// checksum. The names are those of dbdeployer's lists of tarballs and of the vendors' documentation.
func archives(vendor flavor.Vendor, v flavor.Version, release string) [][]string {
	switch vendor {
	case flavor.MySQL:
		return mysqlArchives(v)
	case flavor.Percona:
		return perconaArchives(v, release)
	case flavor.MariaDB:
		return mariadbArchives(v)
	default:
		return nil
	}
}

// mysqlArchives are Oracle's. Minimal ones, without debug symbols, are a tenth of the size.
func mysqlArchives(v flavor.Version) [][]string {
	var files [][]string
	for _, build := range at(mysqlBuilds, v) {
		file := fmt.Sprintf("mysql-%s-%s", v, build)
		files = append(files, []string{
			fmt.Sprintf("https://dev.mysql.com/get/Downloads/MySQL-%s/%s", v.Series(), file),
			"https://downloads.mysql.com/archives/get/p/23/file/" + file,
		})
	}
	return files
}

// builds are the names that a vendor's archives have from one release on, best first.
type builds struct {
	since flavor.Version
	names []string
}

// at are the names of the newest row that is not newer than a release.
func at(table []builds, v flavor.Version) []string {
	for _, row := range table {
		if v.Compare(row.since) >= 0 {
			return row.names
		}
	}
	return nil
}

// mysqlBuilds has the newest first.
var mysqlBuilds = []builds{
	// What is listed since then is built for glibc 2.28.
	{flavor.Version{Major: 9, Minor: 6}, []string{"linux-glibc2.28-x86_64-minimal.tar.xz", "linux-glibc2.28-x86_64.tar.xz"}},
	{flavor.Version{Major: 8, Minor: 1}, []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.17-x86_64.tar.xz"}},
	{flavor.Version{Major: 8, Minor: 0, Patch: 34}, []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.17-x86_64.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}},
	{flavor.Version{Major: 8, Minor: 0, Patch: 27}, []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}},
	// Its minimal archive was replaced under another name.
	{flavor.Version{Major: 8, Minor: 0, Patch: 26}, []string{"linux-glibc2.17-x86_64-minimal-rebuild.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}},
	{flavor.Version{Major: 8, Minor: 0, Patch: 21}, []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}},
	{flavor.Version{Major: 8, Minor: 0, Patch: 16}, []string{"linux-x86_64-minimal.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}},
	{flavor.Version{Major: 8, Minor: 0, Patch: 12}, []string{"linux-glibc2.12-x86_64.tar.xz"}},
	{flavor.Version{Major: 8}, []string{"linux-glibc2.12-x86_64.tar.gz"}},
	{flavor.Version{Major: 5, Minor: 6}, []string{"linux-glibc2.12-x86_64.tar.gz", "linux-glibc2.5-x86_64.tar.gz"}},
	{flavor.Version{Major: 5, Minor: 5}, []string{"linux-glibc2.12-x86_64.tar.gz", "linux2.6-x86_64.tar.gz"}},
	{flavor.Version{}, []string{"linux-x86_64-glibc23.tar.gz"}},
}

// perconaArchives are Percona's.
func perconaArchives(v flavor.Version, release string) [][]string {
	folders := append([]string{"Percona-Server-" + v.Series()}, at(perconaFolders, v)...)
	name := v.String() + at(perconaNames, v)[0] + release[len(v.String())+1:]
	var files [][]string
	for _, build := range at(perconaBuilds, v) {
		var urls []string
		for _, folder := range folders {
			urls = append(urls, fmt.Sprintf("https://downloads.percona.com/downloads/%s/Percona-Server-%s/binary/tarball/Percona-Server-%s-Linux.x86_64.%s.tar.gz",
				folder, release, name, build))
		}
		files = append(files, urls)
	}
	return files
}

// perconaBuilds are the systems that a release was built for: told by the OpenSSL library at first, by the
// glibc version since 5.7.31 and 8.0.20.
var perconaBuilds = []builds{
	{flavor.Version{Major: 8, Minor: 0, Patch: 30}, []string{"glibc2.17-minimal", "glibc2.35-minimal", "glibc2.28-minimal", "glibc2.34-minimal"}},
	{flavor.Version{Major: 8, Minor: 0, Patch: 20}, []string{"glibc2.17-minimal", "glibc2.12-minimal"}},
	{flavor.Version{Major: 8}, []string{"ssl102", "ssl101", "ssl100"}},
	{flavor.Version{Major: 5, Minor: 7, Patch: 31}, []string{"glibc2.17-minimal", "glibc2.12-minimal"}},
	{flavor.Version{}, []string{"ssl102", "ssl101", "ssl100"}},
}

// perconaFolders are where a line's archives lie: long-term lines have a folder of their own, the others share one.
var perconaFolders = []builds{
	{flavor.Version{Major: 8, Minor: 1}, []string{"Percona-Server-innovative-release"}},
}

// perconaNames say how a release is written in a file's name: 5.6.45-86.1 is called 5.6.45-rel86.1.
var perconaNames = []builds{
	{flavor.Version{Major: 5, Minor: 7}, []string{"-"}},
	{flavor.Version{}, []string{"-rel"}},
}

// mariadbBuilds: those for systemd came with 10.1, those for glibc 2.14 went with 10.4.
var mariadbBuilds = []builds{
	{flavor.Version{Major: 10, Minor: 4}, []string{"linux-systemd-x86_64", "linux-x86_64"}},
	{flavor.Version{Major: 10, Minor: 1}, []string{"linux-systemd-x86_64", "linux-x86_64", "linux-glibc_214-x86_64"}},
	{flavor.Version{}, []string{"linux-x86_64", "linux-glibc_214-x86_64"}},
}

// mariadbArchives are MariaDB's.
func mariadbArchives(v flavor.Version) [][]string {
	var files [][]string
	for _, build := range at(mariadbBuilds, v) {
		path := fmt.Sprintf("mariadb-%s/bintar-%s/mariadb-%s-%s.tar.gz", v, build, v, build)
		files = append(files, []string{"https://archive.mariadb.org/" + path, "https://mirror.mariadb.org/" + path})
	}
	return files
}
