package matrix

import (
	"fmt"
	"regexp"
	"strings"

	"mysqlmatrix/harness/flavor"
)

const forms = "an exact release is written mysql@8.0.21, percona@8.0.36-28 or mariadb@10.6.9, an installation dir:/path, an archive of one tarball:/path"

// vendorAliases are other words for vendors: those that dbdeployer's users prefix versions with.
var vendorAliases = map[string]string{"ps": "percona", "maria": "mariadb"}

// Resolve finds the entry that a reference means: a name of the file (mysql-8.0), an exact release by the
// vendors' URL patterns (mysql@8.0.21, percona@8.0.36-28, mariadb@10.6.9), an installation (dir:/path), or an archive of one
// (tarball:/path, file:///path).
func (m *Matrix) Resolve(ref string) (Entry, error) {
	if kind, rest, ok := referenceKind(ref); ok {
		declared, err := kind.Refer(rest)
		if err != nil {
			return Entry{}, fmt.Errorf("entry %q: %w", ref, err)
		}
		return Entry{Name: ref, Tier: TierFull, Sources: []Source{{Declared: declared}}}, nil
	}
	if vendor, release, ok := strings.Cut(ref, "@"); ok {
		return m.exactRelease(ref, unalias(vendor), release)
	}
	name := ref
	if vendor, series, ok := strings.Cut(ref, "-"); ok {
		name = unalias(vendor) + "-" + series
	}
	for _, e := range m.Entries {
		if e.Name == name {
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("no entry %q; the nearest are %s; %s", ref, strings.Join(closest(name, m.entryNames(), 3), ", "), forms)
}

func unalias(vendor string) string {
	if name, ok := vendorAliases[vendor]; ok {
		return name
	}
	return vendor
}

var (
	releasePattern = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	// Percona adds its own build number: 8.0.36-28, and with a fraction before 5.7: 5.6.45-86.1.
	perconaPattern = regexp.MustCompile(`^\d+\.\d+\.\d+-\d+(\.\d+)?$`)
)

// exactReleases show how a vendor's releases are written.
var exactReleases = map[flavor.Vendor]string{flavor.MySQL: "8.0.21", flavor.Percona: "8.0.36-28", flavor.MariaDB: "10.6.9"}

func (m *Matrix) exactRelease(ref, vendorName, release string) (Entry, error) {
	vendor, err := flavor.ParseVendor(vendorName)
	if err != nil {
		return Entry{}, fmt.Errorf("entry %q: there is no vendor %q; %s; %s", ref, vendorName, choices(vendorName, vendorNames), forms)
	}
	pattern := releasePattern
	if vendor == flavor.Percona {
		pattern = perconaPattern
	}
	if !pattern.MatchString(release) {
		return Entry{}, m.badRelease(ref, vendor, release)
	}
	version, err := flavor.ParseVersion(release)
	if err != nil {
		return Entry{}, fmt.Errorf("entry %q: %w", ref, err)
	}
	e := Entry{Name: vendor.String() + "@" + release, Vendor: vendor, Series: version.Series(), Release: release, Tier: TierFull}
	e.Sources = releaseSources(vendor, version, release)
	return e, nil
}

// badRelease says what is wrong with the release of a reference, and what is near.
func (m *Matrix) badRelease(ref string, vendor flavor.Vendor, release string) error {
	text := fmt.Sprintf("entry %q: %q is no exact release of %s, such as %s@%s", ref, release, vendor, vendor, exactReleases[vendor])
	switch {
	case vendor == flavor.Percona && releasePattern.MatchString(release):
		text += "; Percona's have a build number after a hyphen"
	case vendor != flavor.Percona && perconaPattern.MatchString(release):
		text += fmt.Sprintf("; that is how Percona's are written: percona@%s", release)
	}
	near := closest(vendor.String()+"-"+release, m.entryNames(), 3)
	return fmt.Errorf("%s; the nearest entries are %s; an installation is written dir:/path, an archive of one tarball:/path", text, strings.Join(near, ", "))
}
