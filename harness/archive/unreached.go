package archive

import (
	"errors"
	"fmt"
	"net"
	"net/url"
)

// Unreached says of a request that came to nobody which host was asked, and why it did not answer. ok is false for every
// other error.
func Unreached(err error) (host, reason string, ok bool) {
	var asked *url.Error
	var dial *net.OpError
	if !errors.As(err, &asked) || !errors.As(err, &dial) || dial.Op != "dial" {
		return "", "", false
	}
	return hostOf(asked.URL), reasonOf(dial), true
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
