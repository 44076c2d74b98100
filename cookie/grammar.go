package cookie

import (
	"net"
	"net/netip"
	"strings"
)

// all reports whether valid accepts every byte of s.
func all(s string, valid func(byte) bool) bool {
	for i := range len(s) {
		if !valid(s[i]) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isTokenByte is tchar of RFC 9110, 5.6.2.
func isTokenByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isValueByte is cookie-octet of RFC 6265, 4.1.1.
func isValueByte(c byte) bool {
	return '!' <= c && c <= '~' && c != '"' && c != ',' && c != ';' && c != '\\'
}

// isPathByte reports whether the path of a request can contain c. Browsers
// accept more in a Path attribute, but such a path would never match.
func isPathByte(c byte) bool {
	return '!' <= c && c <= '~' && c != ';' && c != '?' && c != '#'
}

// isHostName reports whether s is a host name in the form that browsers
// compare: lower case, two or more labels, and a last label that rules out an
// IP address.
func isHostName(s string) bool {
	last := strings.LastIndexByte(s, '.') + 1
	if len(s) > 253 || last == 0 || last == len(s) || s[last] < 'a' || s[last] > 'z' {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	return len(s) > 0 && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' && all(s, func(c byte) bool {
		return c == '-' || isAlphanumeric(c) && (c < 'A' || c > 'Z')
	})
}

// isLoopback reports whether the Host header of a request, with or without a
// port, names the machine of the browser that sent it.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
