package flavor

import "strings"

// Build tells who built a server: distributions patch it, and rewrite its version_comment.
type Build string

// The builds.
const (
	BuildVendor Build = "vendor" // the vendor of the server, or nobody that says otherwise
	BuildDebian Build = "debian"
	BuildUbuntu Build = "ubuntu"
)

// Builds are the builds there are.
func Builds() []Build { return []Build{BuildVendor, BuildDebian, BuildUbuntu} }

// BuildOf tells the build from what a server answers to SELECT @@version, @@version_comment. MariaDB's Debian packages
// have the distribution in the version (10.11.14-MariaDB-0+deb12u2), MySQL's in the comment ((Debian)).
func BuildOf(version, versionComment string) Build {
	version, comment := strings.ToLower(version), strings.ToLower(versionComment)
	switch {
	case strings.Contains(comment, "ubuntu") || strings.Contains(version, "ubuntu"):
		return BuildUbuntu
	case strings.Contains(comment, "debian") || strings.Contains(version, "+deb"):
		return BuildDebian
	}
	return BuildVendor
}
