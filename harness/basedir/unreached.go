package basedir

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
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
		var asked *url.Error
		var dial *net.OpError
		switch {
		case errors.As(err, &same):
			for i := range same.Hosts {
				all.add(same.Hosts[i], same.Reasons[i])
			}
		case errors.As(err, &asked) && errors.As(err, &dial) && dial.Op == "dial":
			all.add(hostOf(asked.URL), reasonOf(dial))
		default:
			return errors.Join(attempts...)
		}
	}
	if len(all.Hosts) == 0 {
		return errors.Join(attempts...)
	}
	return all
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}

// reasonOf leaves out the address of whoever was asked for an address.
func reasonOf(err *net.OpError) string {
	var name *net.DNSError
	if errors.As(err, &name) {
		return name.Err
	}
	return fmt.Sprint(err.Err)
}
