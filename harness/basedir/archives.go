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
	for _, build := range mysqlBuilds(v) {
		file := fmt.Sprintf("mysql-%s-%s", v, build)
		files = append(files, []string{
			fmt.Sprintf("https://dev.mysql.com/get/Downloads/MySQL-%s/%s", v.Series(), file),
			"https://downloads.mysql.com/archives/get/p/23/file/" + file,
		})
	}
	return files
}

func mysqlBuilds(v flavor.Version) []string {
	switch {
	case v.AtLeast(9, 6, 0): // what is listed since then is built for glibc 2.28
		return []string{"linux-glibc2.28-x86_64-minimal.tar.xz", "linux-glibc2.28-x86_64.tar.xz"}
	case v.AtLeast(8, 1, 0):
		return []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.17-x86_64.tar.xz"}
	case v == flavor.Version{Major: 8, Minor: 0, Patch: 26}: // its minimal archive was replaced under another name
		return []string{"linux-glibc2.17-x86_64-minimal-rebuild.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(8, 0, 34):
		return []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.17-x86_64.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(8, 0, 21):
		return []string{"linux-glibc2.17-x86_64-minimal.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(8, 0, 16):
		return []string{"linux-x86_64-minimal.tar.xz", "linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(8, 0, 12):
		return []string{"linux-glibc2.12-x86_64.tar.xz"}
	case v.AtLeast(8, 0, 0):
		return []string{"linux-glibc2.12-x86_64.tar.gz"}
	case v.AtLeast(5, 6, 0):
		return []string{"linux-glibc2.12-x86_64.tar.gz", "linux-glibc2.5-x86_64.tar.gz"}
	case v.AtLeast(5, 5, 0):
		return []string{"linux-glibc2.12-x86_64.tar.gz", "linux2.6-x86_64.tar.gz"}
	default:
		return []string{"linux-x86_64-glibc23.tar.gz"}
	}
}

// perconaArchives are Percona's. Long-term lines have a folder of their own; the others share one.
func perconaArchives(v flavor.Version, release string) [][]string {
	folders := []string{"Percona-Server-" + v.Series()}
	if v.AtLeast(8, 1, 0) {
		folders = append(folders, "Percona-Server-innovative-release")
	}
	name := release // in the file's name; 5.6.45-86.1 is called 5.6.45-rel86.1 there
	if !v.AtLeast(5, 7, 0) {
		name = v.String() + "-rel" + release[len(v.String())+1:]
	}
	var files [][]string
	for _, build := range perconaBuilds(v) {
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
func perconaBuilds(v flavor.Version) []string {
	switch {
	case v.AtLeast(8, 0, 30):
		return []string{"glibc2.17-minimal", "glibc2.35-minimal", "glibc2.28-minimal", "glibc2.34-minimal"}
	case v.AtLeast(8, 0, 20), v.AtLeast(5, 7, 31) && !v.AtLeast(5, 8, 0):
		return []string{"glibc2.17-minimal", "glibc2.12-minimal"}
	default:
		return []string{"ssl102", "ssl101", "ssl100"}
	}
}

// mariadbArchives are MariaDB's. Builds for systemd came with 10.1, those for glibc 2.14 went with 10.4.
func mariadbArchives(v flavor.Version) [][]string {
	var builds []string
	if v.AtLeast(10, 1, 0) {
		builds = append(builds, "linux-systemd-x86_64")
	}
	builds = append(builds, "linux-x86_64")
	if !v.AtLeast(10, 4, 0) {
		builds = append(builds, "linux-glibc_214-x86_64")
	}
	var files [][]string
	for _, build := range builds {
		path := fmt.Sprintf("mariadb-%s/bintar-%s/mariadb-%s-%s.tar.gz", v, build, v, build)
		files = append(files, []string{"https://archive.mariadb.org/" + path, "https://mirror.mariadb.org/" + path})
	}
	return files
}
