package basedir

import (
	"os"
	"strconv"
	"strings"
)

// libraryPackages names the packages of the libraries that vendors' binaries link. until is the last Debian
// and Ubuntu release that has it; t64 marks those that were renamed in Debian 13 and Ubuntu 24.04.
var libraryPackages = map[string]struct {
	name                     string
	t64                      bool
	untilDebian, untilUbuntu float64
}{
	"libaio.so.1":         {name: "libaio1", t64: true},
	"libnuma.so.1":        {name: "libnuma1"},
	"libncurses.so.5":     {name: "libncurses5", untilDebian: 12, untilUbuntu: 23.10},
	"libtinfo.so.5":       {name: "libtinfo5", untilDebian: 12, untilUbuntu: 23.10},
	"libncurses.so.6":     {name: "libncurses6"},
	"libncursesw.so.6":    {name: "libncursesw6"},
	"libtinfo.so.6":       {name: "libtinfo6"},
	"libssl.so.1.1":       {name: "libssl1.1", untilDebian: 11, untilUbuntu: 21.10},
	"libcrypto.so.1.1":    {name: "libssl1.1", untilDebian: 11, untilUbuntu: 21.10},
	"libssl.so.3":         {name: "libssl3", t64: true},
	"libcrypto.so.3":      {name: "libssl3", t64: true},
	"libcrypt.so.1":       {name: "libcrypt1"},
	"libstdc++.so.6":      {name: "libstdc++6"},
	"libgcc_s.so.1":       {name: "libgcc-s1"},
	"libatomic.so.1":      {name: "libatomic1"},
	"libz.so.1":           {name: "zlib1g"},
	"libpcre2-8.so.0":     {name: "libpcre2-8-0"},
	"libsystemd.so.0":     {name: "libsystemd0"},
	"libsasl2.so.2":       {name: "libsasl2-2"},
	"libtirpc.so.3":       {name: "libtirpc3", t64: true},
	"libcurl.so.4":        {name: "libcurl4", t64: true},
	"libkrb5.so.3":        {name: "libkrb5-3"},
	"libgssapi_krb5.so.2": {name: "libgssapi-krb5-2"},
	"libpam.so.0":         {name: "libpam0g"},
	"libjemalloc.so.2":    {name: "libjemalloc2"},
	"liburing.so.2":       {name: "liburing2"},
}

// libraryPackage is the package of a library in a release of Debian or Ubuntu.
func libraryPackage(soname, id string, release float64) string {
	p, ok := libraryPackages[soname]
	if !ok {
		return ""
	}
	until, t64Since := p.untilDebian, 13.0
	if id == "ubuntu" {
		until, t64Since = p.untilUbuntu, 24.04
	}
	if until > 0 && release > until {
		return ""
	}
	if p.t64 && release >= t64Since {
		return p.name + "t64"
	}
	return p.name
}

// systemRelease reads os-release(5). A release without a number is one that is still in the making.
func systemRelease() (id string, release float64) {
	const unreleased = 1000
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", unreleased
	}
	return parseRelease(string(text), unreleased)
}

func parseRelease(text string, unreleased float64) (id string, release float64) {
	release = unreleased
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch name {
		case "ID":
			id = value
		case "VERSION_ID":
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				release = n
			}
		}
	}
	return id, release
}
