package wire

import (
	"errors"
	"fmt"
	"net"
	"net/url"
)

// ErrPlain is the error of a plain http address where only https is allowed.
var ErrPlain = errors.New("it is plain http to a host that is not loopback")

// CheckAddress allows https, and http of a loopback host or where the caller allows it.
// The error names the address, without a password in it.
func CheckAddress(address string, insecure bool) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("the address is not a URL") // err would quote it
	}
	switch {
	case u.User != nil:
		err = errors.New("it contains a user name")
	case u.Hostname() == "" || u.Opaque != "":
		err = errors.New("it is not a URL with a host")
	case u.Scheme == "https", u.Scheme == "http" && (insecure || Loopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		err = ErrPlain
	default:
		err = errors.New("it is not https")
	}
	u.User = nil
	return fmt.Errorf("address %.200q: %w", u.String(), err)
}

// Loopback reports whether a host, without a port, is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
