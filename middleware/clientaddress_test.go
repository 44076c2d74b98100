package middleware_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/authlatch/auth/middleware"
)

// ASVS 5.0, 4.1.3 and 15.3.4: the client is the peer of the outermost trusted proxy,
// and no header that a client sends changes that.
func TestClientAddressIsWhomTheLastTrustedProxyWasAskedBy(t *testing.T) {
	const proxy, inner, client, spoofed = "10.0.0.1:443", "10.0.0.2", "192.0.2.7", "203.0.113.66"
	for _, test := range []struct {
		rule      string
		remote    string
		forwarded []string
		want      string
	}{
		{"without a proxy it is the connection's", "192.0.2.7:1024", nil, client},
		{"a sender that is not a proxy is not trusted", "192.0.2.7:1024", []string{spoofed}, client},
		{"a proxy is", proxy, []string{client}, client},
		{"a proxy without the header is the client", proxy, nil, "10.0.0.1"},
		{"a chain of proxies", proxy, []string{client + ", 10.0.0.3, " + inner}, client},
		{"a chain over several fields", proxy, []string{client, "10.0.0.3", inner}, client},
		{"what a client has written stands to the left", proxy, []string{spoofed + ", " + client}, client},
		{"in a field of its own as well", proxy, []string{spoofed, client}, client},
		{"and as a trusted address", proxy, []string{"10.9.9.9, " + client}, client},
		{"an address behind the client's is not looked at", proxy, []string{"garbage, " + client + ", " + inner}, client},
		{"all are trusted: the leftmost", proxy, []string{"10.1.1.1, 10.2.2.2"}, "10.1.1.1"},
		{"no spaces", proxy, []string{spoofed + "," + client + "," + inner}, client},
		{"more spaces and tabs", proxy, []string{spoofed + " ,\t " + client + " \t"}, client},

		{"garbage ends the walk at the proxy", proxy, []string{"garbage"}, "10.0.0.1"},
		{"an obfuscated name does", proxy, []string{spoofed + ", unknown"}, "10.0.0.1"},
		{"at the last proxy that is known", proxy, []string{spoofed + ", _hidden, " + inner}, inner},
		{"nothing between commas does", proxy, []string{spoofed + ",," + inner}, inner},
		{"an empty field does", proxy, []string{spoofed, "", inner}, inner},
		{"a comma at the end does", proxy, []string{spoofed + ","}, "10.0.0.1"},
		{"a name does", proxy, []string{"localhost"}, "10.0.0.1"},
		{"a network does", proxy, []string{"192.0.2.0/24"}, "10.0.0.1"},
		{"short forms do", proxy, []string{"192.0.519"}, "10.0.0.1"},
		{"leading zeros do", proxy, []string{"192.0.2.007"}, "10.0.0.1"},
		{"a number does", proxy, []string{"3221225991"}, "10.0.0.1"},
		{"quotes do", proxy, []string{`"192.0.2.7"`}, "10.0.0.1"},
		{"the form of Forwarded does", proxy, []string{"for=192.0.2.7"}, "10.0.0.1"},
		{"an address with more behind it does", proxy, []string{"192.0.2.7 evil"}, "10.0.0.1"},
		{"other white space does", proxy, []string{"\u00a0192.0.2.7"}, "10.0.0.1"},
		{"a NUL does", proxy, []string{"192.0.2.7\x00"}, "10.0.0.1"},
		{"a port out of range does", proxy, []string{"192.0.2.7:65536"}, "10.0.0.1"},

		{"a port is cut off", proxy, []string{"192.0.2.7:50000"}, client},
		{"of IPv6 too", proxy, []string{"[2001:db8::7]:50000"}, "2001:db8::7"},
		{"IPv6", proxy, []string{"2001:db8::7"}, "2001:db8::7"},
		{"a zone is cut off", proxy, []string{"fe80::7%eth0"}, "fe80::7"},
		{"IPv4-mapped is IPv4", proxy, []string{"::ffff:192.0.2.7"}, client},
		{"a proxy that is IPv4-mapped is trusted", "[::ffff:10.0.0.1]:443", []string{client}, client},
		{"so is one on the way", proxy, []string{client + ", ::ffff:10.0.0.2"}, client},
		{"a proxy of IPv6", "[fd00::1]:443", []string{client}, client},
		{"a proxy of IPv6 with a zone", "[fd00::1%eth0]:443", []string{client}, client},
		{"another of IPv6 is none", "[fd01::1]:443", []string{client}, "fd01::1"},

		{"an address without a port", "10.0.0.1", []string{client}, client},
		{"a Unix socket has none", "@", []string{client}, "invalid IP"},
		{"nor has nothing", "", []string{client}, "invalid IP"},
		{"nor has a name", "proxy:443", []string{client}, "invalid IP"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			r := get("/")
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-For"] = test.forwarded
			// Other headers are never read.
			for _, name := range []string{"Forwarded", "X-Real-Ip", "X_Forwarded_For", "X-Forwarded_For", "Cf-Connecting-Ip",
				"True-Client-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Forwarded", "X-Original-Forwarded-For", "Via"} {
				r.Header[name] = []string{spoofed}
			}
			r.Header["x-forwarded-for"] = []string{spoofed} // no server hands it on so
			got := middleware.ClientAddress(r, netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/64"), netip.Prefix{})
			if got.String() != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

func TestClientAddressTrustsNoProxyByDefault(t *testing.T) {
	r := get("/")
	r.RemoteAddr = "127.0.0.1:1024"
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	if got := middleware.ClientAddress(r); got != netip.MustParseAddr("127.0.0.1") {
		t.Error(got)
	}
}

// A long header allocates nothing; the one allocation is the error of parsing
// RemoteAddr, which has a port.
func TestALongFieldCostsNoMemory(t *testing.T) {
	r := get("/")
	r.RemoteAddr = "10.0.0.1:1024"
	r.Header = http.Header{"X-Forwarded-For": {strings.Repeat("192.0.2.7,", 10_000) + strings.Repeat("10.0.0.2,", 10_000) + "10.0.0.3"}}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	var got netip.Addr
	if n := testing.AllocsPerRun(10, func() { got = middleware.ClientAddress(r, trusted...) }); n > 1 || got.String() != "192.0.2.7" {
		t.Errorf("%v allocations, %v", n, got)
	}
}

// A client may send any headers: its proxy appends the address of the client, and
// ClientAddress returns that.
func FuzzClientAddress(f *testing.F) {
	f.Add("203.0.113.66", "10.0.0.1")
	f.Add("10.0.0.1,10.0.0.2", ",")
	f.Add("::ffff:10.0.0.1", "[::1]:80, unknown")
	f.Fuzz(func(t *testing.T, one, other string) {
		client := netip.MustParseAddr("192.0.2.7")
		for _, forwarded := range [][]string{{one, other, "192.0.2.7"}, {one, other + ", 192.0.2.7"}, {one, other, "192.0.2.7, 10.0.0.2"}} {
			r := get("/")
			r.RemoteAddr = "10.0.0.1:1024"
			r.Header["X-Forwarded-For"] = forwarded
			if got := middleware.ClientAddress(r, netip.MustParsePrefix("10.0.0.0/8")); got != client {
				t.Errorf("%q: %v", forwarded, got)
			}
		}
	})
}
