package flavor

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a server's release number. It is comparable with ==; the zero Version means "not known".
type Version struct{ Major, Minor, Patch int }

// ParseVersion reads the leading number of what a server says of itself: "8.0.36", "8.4.0-log",
// "10.11.19-MariaDB-log", "8.0.36-28" (Percona). What follows the third number is a build suffix and not
// a pre-release: 8.4.0-log is 8.4.0. Two numbers are enough ("10.11" has patch 0). MariaDB before 11.0
// puts "5.5.5-" before its version for old clients in the handshake packet; it is dropped.
func ParseVersion(s string) (Version, error) {
	text := strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(text, "5.5.5-"); ok && strings.Contains(strings.ToLower(rest), "mariadb") {
		text = rest
	}
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(text)
	}
	parts := strings.Split(strings.TrimSuffix(text[:end], "."), ".")
	if len(parts) < 2 || len(parts) > 4 {
		return Version{}, fmt.Errorf("version %q: want numbers like 8.0.36", s)
	}
	var n [3]int
	for i := range min(len(parts), 3) {
		v, err := strconv.Atoi(parts[i])
		if err != nil {
			return Version{}, fmt.Errorf("version %q: want numbers like 8.0.36", s)
		}
		n[i] = v
	}
	return Version{n[0], n[1], n[2]}, nil
}

// String is "8.0.36".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Series is the release line, "8.0" or "10.11".
func (v Version) Series() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// In says whether the version is of a release line: "8.0", "10.11", or "26" for MySQL's numbering by year.
func (v Version) In(series string) bool {
	return series == v.Series() || series == strconv.Itoa(v.Major)
}

// Compare is negative, zero or positive as v is older than, equal to or newer than o.
func (v Version) Compare(o Version) int {
	if d := v.Major - o.Major; d != 0 {
		return d
	}
	if d := v.Minor - o.Minor; d != 0 {
		return d
	}
	return v.Patch - o.Patch
}

// AtLeast says whether v is the given release or a newer one.
func (v Version) AtLeast(major, minor, patch int) bool {
	return v.Compare(Version{major, minor, patch}) >= 0
}

// IsZero says that the version is not known.
func (v Version) IsZero() bool { return v == Version{} }
