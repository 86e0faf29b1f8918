package basedir

import (
	"errors"
	"slices"
	"strings"

	"mysqlmatrix/harness/archive"
)

// UnreachedError says that no place that has an archive can be reached from here.
type UnreachedError struct {
	Hosts   []string
	Reasons []string // for each host
}

// Error is one line, however many names and places the archive has.
func (e *UnreachedError) Error() string {
	var parts []string
	for i, host := range e.Hosts {
		parts = append(parts, host+" ("+e.Reasons[i]+")")
	}
	return "not reached: " + strings.Join(parts, ", ") + ": set HTTPS_PROXY, or fetch the archive elsewhere and name it, such as --entry tarball:/path"
}

func (e *UnreachedError) add(host, reason string) {
	if !slices.Contains(e.Hosts, host) {
		e.Hosts, e.Reasons = append(e.Hosts, host), append(e.Reasons, reason)
	}
}

// unreached joins attempts: to one *UnreachedError when each came to nobody.
func unreached(attempts []error) error {
	all := &UnreachedError{}
	for _, err := range attempts {
		var same *UnreachedError
		if errors.As(err, &same) {
			for i := range same.Hosts {
				all.add(same.Hosts[i], same.Reasons[i])
			}
			continue
		}
		host, reason, ok := archive.Unreached(err)
		if !ok {
			return errors.Join(attempts...)
		}
		all.add(host, reason)
	}
	if len(all.Hosts) == 0 {
		return errors.Join(attempts...)
	}
	return all
}
