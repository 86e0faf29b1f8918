package release

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/proc"
)

// repository is where a vendor tags its releases.
type repository struct {
	url string
	tag *regexp.Regexp // its first group is the release
}

// repositories are the vendors' own.
var repositories = map[flavor.Vendor]repository{
	flavor.MySQL:   {"https://github.com/mysql/mysql-server", regexp.MustCompile(`^mysql-(\d+\.\d+\.\d+)$`)},
	flavor.Percona: {"https://github.com/percona/percona-server", regexp.MustCompile(`^Percona-Server-(\d+\.\d+\.\d+-\d+)$`)},
	flavor.MariaDB: {"https://github.com/MariaDB/server", regexp.MustCompile(`^mariadb-(\d+\.\d+\.\d+)$`)},
}

// Tags lists the tags of a repository.
type Tags func(ctx context.Context, url string) ([]string, error)

// RemoteTags asks a repository with git.
func RemoteTags(ctx context.Context, url string) ([]string, error) {
	out, err := proc.Run(ctx, proc.Cmd{Path: "git", Args: []string{"ls-remote", "--tags", "--refs", url}, Env: []string{"GIT_TERMINAL_PROMPT=0"}, Inherit: true})
	if err != nil {
		return nil, err
	}
	var tags []string
	for line := range strings.Lines(out) {
		if _, tag, ok := strings.Cut(strings.TrimSpace(line), "\trefs/tags/"); ok {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// Upstream is what the vendors have tagged.
type Upstream struct {
	tagged  map[flavor.Vendor]List
	unknown map[flavor.Vendor]error
}

// Ask asks each vendor's repository once.
func Ask(ctx context.Context, tags Tags) Upstream {
	u := Upstream{tagged: map[flavor.Vendor]List{}, unknown: map[flavor.Vendor]error{}}
	for vendor, r := range repositories {
		names, err := tags(ctx, r.url)
		if err != nil {
			u.unknown[vendor] = fmt.Errorf("%s cannot be reached: %w", r.url, err)
			continue
		}
		for _, name := range names {
			m := r.tag.FindStringSubmatch(name)
			if m == nil {
				continue
			}
			if version, err := flavor.ParseVersion(m[1]); err == nil {
				u.tagged[vendor] = append(u.tagged[vendor], Archive{Vendor: vendor, Release: m[1], Version: version})
			}
		}
	}
	return u
}

// Newest is the newest release of a line that its vendor has tagged; "" where there is none.
func (u Upstream) Newest(vendor flavor.Vendor, series string) (string, error) {
	if err := u.unknown[vendor]; err != nil {
		return "", err
	}
	return u.tagged[vendor].Line(vendor, series).Last(), nil
}

// Last is the newest release of a list; "" where it is empty.
func (l List) Last() string {
	names := l.Releases()
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

// Behind says whether a release is older than another one; "" is older than all.
func Behind(release, newest string) bool {
	if release == "" || newest == "" {
		return newest != ""
	}
	a, errA := flavor.ParseVersion(release)
	b, errB := flavor.ParseVersion(newest)
	return errA == nil && errB == nil && Archive{Release: release, Version: a}.compare(Archive{Release: newest, Version: b}) < 0
}
