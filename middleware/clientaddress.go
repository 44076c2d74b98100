package middleware

import (
	"net/http"
	"net/netip"

	"github.com/authlatch/auth/internal/forwarded"
)

// ClientAddress returns the address of the client behind trusted proxies. The address
// has no zone, and IPv4-mapped IPv6 is returned as IPv4. Without trusted proxies it
// is the address of the connection.
//
// If the address of the connection is trusted, ClientAddress reads the
// X-Forwarded-For headers from right to left, because each proxy appends the address
// of its peer. The first address that is not trusted is the client; clients can forge
// everything to its left. An entry that is not an address, with or without a port,
// ends the search at the last known hop. No other header is read: neither Forwarded
// nor X-Real-IP, nor a spelling with underscores (ASVS 5.0, 4.1.3 and 15.3.4).
//
// Trust only proxies that set or append to the header themselves, and never a network
// that contains clients, because a sender with a trusted address can claim any other
// address.
//
// The result is not valid if r.RemoteAddr is not an address, as with a Unix socket. A
// server that only its proxy can reach, by a Unix socket, first sets r.RemoteAddr to
// a trusted address, such as "127.0.0.1:0".
func ClientAddress(r *http.Request, trusted ...netip.Prefix) netip.Addr {
	return forwarded.Client(r, trusted)
}
