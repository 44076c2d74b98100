package middleware

import (
	"net/http"
	"net/netip"

	"github.com/authlatch/auth/internal/forwarded"
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
	return forwarded.Client(r, trusted)
}
