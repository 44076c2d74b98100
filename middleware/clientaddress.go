package middleware

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddress returns the address of the client behind proxies that are
// trusted, without a zone, and with IPv4-mapped IPv6 as IPv4. Without trusted
// ones it is the address that the connection comes from.
//
// If that is trusted, ClientAddress goes through the X-Forwarded-For fields from
// right to left, since each proxy appends whom it was asked by. The first address
// that is not trusted is the client; what stands left of it may be made up by
// anybody. An entry that is no address, with or without a port, ends the walk at
// the last hop that is known. No other field is read: not Forwarded, not
// X-Real-IP, and no spelling with underscores (ASVS 5.0, 4.1.3 and 15.3.4).
//
// Trust only proxies that set or append to the field themselves, and no network
// that clients are in: whoever comes from a trusted address can claim any other.
//
// The result is not valid if r.RemoteAddr is no address, as with a Unix socket.
// A server that is reached by one, and by its proxy alone, gives requests an
// address that it trusts before, such as r.RemoteAddr = "127.0.0.1:0".
func ClientAddress(r *http.Request, trusted ...netip.Prefix) netip.Addr {
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

// cutLast cuts off what follows the last comma, or all if there is none.
func cutLast(list string) (before, last string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[:i], list[i+1:], true
	}
	return "", list, false
}

// parseHop returns the zero Addr for what is no address.
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
