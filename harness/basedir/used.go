package basedir

import (
	"path"
	"slices"
	"strings"
)

// initPrograms are what MariaDB's installation script calls.
var initPrograms = []string{"my_print_defaults", "resolveip"}

// unusedShare are parts of share that no server here reads.
var unusedShare = []string{"aclocal", "groonga", "groonga-normalizer-mysql", "mroonga", "pkgconfig", "man", "doc"}

// used says where a file of a whole distribution goes in a basedir: "." for one that nothing here uses, such as debug
// builds, static libraries, test suites and manuals. Libraries that lie beside the server go to lib/private.
func used(name string) string {
	top, rest, below := strings.Cut(name, "/")
	switch {
	case !below:
		if slices.Contains([]string{"COPYING", "LICENSE", "bin", "lib", "share", "scripts"}, name) {
			return name
		}
		return "."
	case name == defaultOptions:
		return name
	case (top == "bin" || top == "scripts") && isProgram(rest):
		return name
	case top == "lib" && (strings.HasPrefix(rest, "plugin/") || strings.HasPrefix(rest, "private/")):
		if strings.HasPrefix(rest, "plugin/debug/") {
			return "."
		}
		return name
	case (top == "lib" || top == "libs") && !strings.Contains(rest, "/") && strings.Contains(rest, ".so."):
		return path.Join("lib", "private", rest)
	case top == "share":
		part, _, _ := strings.Cut(rest, "/")
		if slices.Contains(unusedShare, part) || strings.HasSuffix(rest, ".jar") {
			return "."
		}
		return name
	}
	return "."
}

// defaultOptions is the template of an option file that MySQL 5.6's mysql_install_db does not work without.
const defaultOptions = "support-files/my-default.cnf"

func isProgram(name string) bool {
	for _, p := range programNames {
		if name == p.mysql || name == p.mariadb {
			return true
		}
	}
	return slices.Contains(initPrograms, name)
}
