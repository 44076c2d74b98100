// Package forwarded determines the address of a client behind trusted proxies, for
// packages middleware and throttle.
package forwarded

import (
	"net/http"
	"net/netip"
	"strings"
)

// Client implements middleware.ClientAddress, which documents it.
func Client(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client := parseHop(r.RemoteAddr)
	fields := r.Header["X-Forwarded-For"]
	for i := len(fields) - 1; i >= 0; i-- {
		for rest, more := fields[i], true; more; {
			if !isTrusted(client, trusted) {
				return client
			}
			var hop string
			rest, hop, more = cutLast(rest)
			next := parseHop(strings.Trim(hop, " \t"))
			if !next.IsValid() {
				return client
			}
			client = next
		}
	}
	return client
}

func isTrusted(address netip.Addr, trusted []netip.Prefix) bool {
	for _, network := range trusted {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// cutLast returns the list before its last comma and the element after it. more is
// false if there is no comma.
func cutLast(list string) (before, last string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[:i], list[i+1:], true
	}
	return "", list, false
}

// parseHop returns the zero Addr if text is not an address.
func parseHop(text string) netip.Addr {
	address, err := netip.ParseAddr(text)
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone("")
}
