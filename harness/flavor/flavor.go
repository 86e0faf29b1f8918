// Package flavor says what is different between servers: vendor, version, the words of their
// replication dialect and the names of their capabilities. It is a leaf: data and comparisons only.
package flavor

import (
	"fmt"
	"strings"
)

// Vendor tells whose server it is. Percona Server is a variant of MySQL: the same dialect in another
// build. MariaDB has been a vendor of its own, with a dialect of its own, since 10.0.
type Vendor uint8

// The vendors. The zero value is invalid.
const (
	VendorUnknown Vendor = iota
	MySQL
	Percona
	MariaDB
)

var vendorNames = map[Vendor]string{MySQL: "mysql", Percona: "percona", MariaDB: "mariadb"}

// String is the vendor's name in matrix.yaml: mysql, percona or mariadb.
func (v Vendor) String() string {
	if name, ok := vendorNames[v]; ok {
		return name
	}
	return "unknown vendor"
}

// ParseVendor reads a vendor's name as String writes it.
func ParseVendor(s string) (Vendor, error) {
	for v, name := range vendorNames {
		if s == name {
			return v, nil
		}
	}
	return VendorUnknown, fmt.Errorf("vendor %q: want mysql, percona or mariadb", s)
}

// MarshalText makes a vendor readable in JSON and YAML; the zero vendor is an error.
func (v Vendor) MarshalText() ([]byte, error) {
	if _, ok := vendorNames[v]; !ok {
		return nil, fmt.Errorf("vendor %d has no name", v)
	}
	return []byte(v.String()), nil
}

// UnmarshalText is the inverse of MarshalText.
func (v *Vendor) UnmarshalText(b []byte) (err error) {
	*v, err = ParseVendor(string(b))
	return err
}

// Flavor is a vendor at a version. It is comparable with ==.
type Flavor struct {
	Vendor  Vendor  `json:"vendor"`
	Version Version `json:"version"`
}

// Parse tells the flavor from what a live server answers to SELECT @@version, @@version_comment.
// The vendor is never told from the major number: MySQL's own numbering leaves 9.x for year.month, and
// distributions rewrite version_comment (Debian's MariaDB says "Debian 12"), so both texts are looked at.
func Parse(version, versionComment string) (Flavor, error) {
	v, err := ParseVersion(version)
	if err != nil {
		return Flavor{}, err
	}
	both := strings.ToLower(version + " " + versionComment)
	switch {
	case strings.Contains(both, "mariadb"):
		return Flavor{MariaDB, v}, nil
	case strings.Contains(both, "percona"):
		return Flavor{Percona, v}, nil
	default:
		return Flavor{MySQL, v}, nil
	}
}

// String is "mariadb 10.11.19".
func (f Flavor) String() string { return f.Vendor.String() + " " + f.Version.String() }

// IsMariaDB says whether the server speaks MariaDB's dialect rather than MySQL's.
func (f Flavor) IsMariaDB() bool { return f.Vendor == MariaDB }

// MinMySQL says whether f is MySQL or Percona Server at the given release or newer.
func (f Flavor) MinMySQL(major, minor, patch int) bool {
	return (f.Vendor == MySQL || f.Vendor == Percona) && f.Version.AtLeast(major, minor, patch)
}

// MinMariaDB says whether f is MariaDB at the given release or newer.
func (f Flavor) MinMariaDB(major, minor, patch int) bool {
	return f.Vendor == MariaDB && f.Version.AtLeast(major, minor, patch)
}

// RunsComment says whether the server runs what stands in a conditional comment with the given version number: /*!NNNNN … */,
// or MariaDB's own /*M!NNNNN … */. 0 stands for a comment without a number. MariaDB passes over MySQL's comments of
// 5.7 and later (documentation, "Comment Syntax").
func (f Flavor) RunsComment(mariaDBOnly bool, number int) bool {
	const firstOfMySQL57, lastOfMySQL = 50700, 99999
	if mariaDBOnly && !f.IsMariaDB() {
		return false
	}
	if f.IsMariaDB() && !mariaDBOnly && number >= firstOfMySQL57 && number <= lastOfMySQL {
		return false
	}
	return number <= f.Version.Major*10000+f.Version.Minor*100+f.Version.Patch
}

// CommentDigits is how many digits of a conditional comment's number the server reads at most: MySQL before 8.0 has five
// (sql/sql_lex.cc), every other server six.
func (f Flavor) CommentDigits() int {
	if !f.IsMariaDB() && f.Version.Major < 8 {
		return 5
	}
	return 6
}

// Crosses says whether a change of server from f to another of the same vendor goes over the release at: f is older, and the
// other is that release or newer. Percona Server counts as MySQL.
func (f Flavor) Crosses(to, at Flavor) bool {
	if f.IsMariaDB() != to.IsMariaDB() || f.IsMariaDB() != at.IsMariaDB() {
		return false
	}
	return f.Version.Compare(at.Version) < 0 && to.Version.Compare(at.Version) >= 0
}
