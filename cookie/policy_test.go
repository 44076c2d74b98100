package cookie_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/authlatch/auth/cookie"
)

const day = 24 * time.Hour

// request returns a request to a loopback host, so that Insecure can be tested
// too.
func request() *http.Request {
	return httptest.NewRequest("GET", "http://localhost:8080/", nil)
}

// The literal Set-Cookie headers, so that no upgrade changes them unnoticed.
//
// ASVS 5.0, 3.3.1, 3.3.2, 3.3.3 and 3.3.4.
func TestGoldenHeaders(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy cookie.Policy
		want   string
	}{
		{"3.3.1-3.3.4 New is strictest", cookie.New("id"), "__Host-Http-id=v; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{"3.3.1-3.3.4 Session", cookie.Session(), "__Host-Http-session=v; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"3.3.1-3.3.4 Refresh", cookie.Refresh(), "__Host-Http-refresh=v; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{"3.3.1 3.3.2 Preference", cookie.Preference("lang"), "__Host-lang=v; Path=/; Max-Age=31536000; Secure; SameSite=Lax"},
		{"3.3.2 SameSiteLax", cookie.New("id").SameSiteLax(), "__Host-Http-id=v; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"3.3.2 SameSiteNone", cookie.New("id").SameSiteNone(), "__Host-Http-id=v; Path=/; HttpOnly; Secure; SameSite=None"},
		{"3.3.3 Partitioned", cookie.New("id").SameSiteNone().Partitioned(), "__Host-Http-id=v; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
		{"3.3.3 Partitioned, before SameSiteNone", cookie.New("id").Partitioned().ReadableByScripts().MaxAge(time.Hour).SameSiteNone(),
			"__Host-id=v; Path=/; Max-Age=3600; Secure; SameSite=None; Partitioned"},
		{"3.3.3 Domain renames", cookie.New("id").Domain("example.com"), "__Secure-id=v; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Strict"},
		{"3.3.3 Path renames", cookie.New("id").Path("/auth"), "__Secure-id=v; Path=/auth; HttpOnly; Secure; SameSite=Strict"},
		{"Path / changes nothing", cookie.New("id").Path("/"), "__Host-Http-id=v; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{"3.3.4 ReadableByScripts renames", cookie.New("id").ReadableByScripts(), "__Host-id=v; Path=/; Secure; SameSite=Strict"},
		{"MaxAge", cookie.New("id").MaxAge(time.Hour), "__Host-Http-id=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict"},
		{"the last MaxAge counts", cookie.Preference("lang").MaxAge(time.Second), "__Host-lang=v; Path=/; Max-Age=1; Secure; SameSite=Lax"},
		{"13.4.2 Insecure", cookie.New("id").Insecure(), "id=v; Path=/; HttpOnly; SameSite=Strict"},
		{"InsecureAnywhere", cookie.New("id").InsecureAnywhere(), "id=v; Path=/; HttpOnly; SameSite=Strict"},
		{"Insecure under localhost", cookie.New("id").Insecure().Domain("app.localhost"), "id=v; Path=/; Domain=app.localhost; HttpOnly; SameSite=Strict"},
		{"everything at once", cookie.New("id").Domain("a.example").Path("/b").ReadableByScripts().SameSiteNone().MaxAge(400 * day),
			"__Secure-id=v; Path=/b; Domain=a.example; Max-Age=34560000; Secure; SameSite=None"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			if err := test.policy.Set(h, request(), "v"); err != nil {
				t.Fatal(err)
			}
			if got := h["Set-Cookie"]; len(got) != 1 || got[0] != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if name, _, _ := strings.Cut(test.want, "="); test.policy.Name() != name {
				t.Errorf("Name() = %q", test.policy.Name())
			}
		})
	}
}

// ASVS 5.0, 1.2.1 and 1.4.2: no name, domain or path is sent that would have
// another meaning in the header, and no lifetime that browsers would cut.
func TestBadPolicies(t *testing.T) {
	id := cookie.New("id")
	long := strings.Repeat("x", 4096)
	for _, test := range []struct {
		name   string
		policy cookie.Policy
	}{
		{"zero", cookie.Policy{}},
		{"zero, loosened", cookie.Policy{}.SameSiteLax()},
		{"empty name", cookie.New("")},
		{"name with a space", cookie.New("a b")},
		{"name with =", cookie.New("a=b")},
		{"name with a separator", cookie.New("a;b")},
		{"name with a line break", cookie.New("a\r\nSet-Cookie: b")},
		{"name with NUL", cookie.New("a\x00")},
		{"name not ASCII", cookie.New("näme")},
		{"name with __Host-", cookie.New("__Host-id")},
		{"name with __hOsT-", cookie.New("__hOsT-id")},
		{"name with __Secure-", cookie.New("__secure-id")},
		{"name with __Http-", cookie.New("__Http-id")},
		{"name with __Host-Http-", cookie.New("__Host-Http-id")},
		{"name with another __", cookie.New("__id")},
		{"name with Http-", cookie.New("Http-id")},
		{"name with hTTP-", cookie.New("hTTP-id")},
		{"name too long", cookie.New(long[:4093-len("__Host-Http-")])},
		{"domain empty", id.Domain("")},
		{"domain with leading dot", id.Domain(".example.com")},
		{"domain with trailing dot", id.Domain("example.com.")},
		{"domain with two dots", id.Domain("example..com")},
		{"domain of one label", id.Domain("com")},
		{"domain localhost", id.Domain("localhost")},
		{"domain upper case", id.Domain("Example.com")},
		{"domain with port", id.Domain("example.com:443")},
		{"domain IPv4", id.Domain("127.0.0.1")},
		{"domain IPv4 in hexadecimal", id.Domain("127.0.0.0x1")},
		{"domain IPv6", id.Domain("[::1]")},
		{"domain with underscore", id.Domain("a_b.example.com")},
		{"domain with leading hyphen", id.Domain("-a.example.com")},
		{"domain with trailing hyphen", id.Domain("a-.example.com")},
		{"domain with label of 64", id.Domain(long[:64] + ".com")},
		{"domain of 254", id.Domain(strings.Repeat("a.", 125) + "abcd")},
		{"domain not ASCII", id.Domain("exämple.com")},
		{"domain with attribute", id.Domain("example.com; Path=/x")},
		{"domain with space", id.Domain(" example.com")},
		{"two domains", id.Domain("a.example").Domain("b.example")},
		{"path empty", id.Path("")},
		{"path relative", id.Path("auth")},
		{"path with ;", id.Path("/a;b")},
		{"path with ?", id.Path("/a?b")},
		{"path with #", id.Path("/a#b")},
		{"path with space", id.Path("/a ")},
		{"path with line break", id.Path("/a\n")},
		{"path with DEL", id.Path("/a\x7f")},
		{"path not ASCII", id.Path("/ä")},
		{"path of 1025", id.Path("/" + long[:1024])},
		{"two paths", id.Path("/a").Path("/b")},
		{"path / and another", id.Path("/").Path("/b")},
		{"max-age zero", id.MaxAge(0)},
		{"max-age negative", id.MaxAge(-time.Second)},
		{"max-age under a second", id.MaxAge(time.Second - 1)},
		{"max-age with a fraction", id.MaxAge(1500 * time.Millisecond)},
		{"max-age over 400 days", id.MaxAge(400*day + time.Second)},
		{"None, then insecure", id.SameSiteNone().Insecure()},
		{"insecure, then None", id.Insecure().SameSiteNone()},
		{"None, then insecure anywhere", id.SameSiteNone().InsecureAnywhere()},
		{"insecure anywhere, then None", id.InsecureAnywhere().SameSiteNone()},
		{"insecure, then anywhere", id.Insecure().InsecureAnywhere()},
		{"insecure anywhere, then on loopback", id.InsecureAnywhere().Insecure()},
		{"insecure, then a domain elsewhere", id.Insecure().Domain("example.com")},
		{"a domain elsewhere, then insecure", id.Domain("example.com").Insecure()},
		{"partitioned alone", id.Partitioned()},
		{"partitioned and Lax", id.Partitioned().SameSiteLax()},
		{"partitioned, then a domain", id.SameSiteNone().Partitioned().Domain("example.com")},
		{"a domain, then partitioned", id.SameSiteNone().Domain("example.com").Partitioned()},
		{"partitioned, then a path", id.SameSiteNone().Partitioned().Path("/a")},
		{"partitioned, then insecure", id.Partitioned().Insecure()},
		{"insecure anywhere, then partitioned", id.InsecureAnywhere().Partitioned()},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.policy.Err()
			if err == nil {
				t.Fatal("no error")
			}
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("the error contains unquoted input: %q", err)
			}
			h := http.Header{}
			if got := test.policy.Set(h, request(), "v"); got == nil {
				t.Error("Set works")
			}
			if got := test.policy.Delete(h, request()); got == nil {
				t.Error("Delete works")
			}
			r := request()
			r.Header.Set("Cookie", "=v; id=v; __Host-Http-id=v; __Secure-id=v")
			if v, ok, err := test.policy.Read(r); v != "" || ok || err == nil {
				t.Errorf("Read = %q, %v, %v", v, ok, err)
			}
			if v, ok := test.policy.Pending(http.Header{"Set-Cookie": {"=v"}}); v != "" || ok {
				t.Errorf("Pending = %q, %v", v, ok)
			}
			if len(h) > 0 || test.policy.Name() != "" {
				t.Errorf("wrote %v, Name %q", h, test.policy.Name())
			}
		})
	}
}

func TestGoodPolicies(t *testing.T) {
	id := cookie.New("id")
	long := strings.Repeat("x", 4096)
	for name, p := range map[string]cookie.Policy{
		"every byte of a token":     cookie.New("!#$%&'*+-.^_`|~09azAZ"),
		"one underscore":            cookie.New("_id"),
		"the longest name":          cookie.New(long[:4092-len("__Host-Http-")]),
		"a label of 63":             id.Domain(long[:63] + ".com"),
		"a domain of 253":           id.Domain(strings.Repeat("a.", 125) + "abc"),
		"punycode":                  id.Domain("xn--exmple-cua.xn--p1ai"),
		"digits in a domain":        id.Domain("1.2.3.4.example"),
		"the same domain twice":     id.Domain("a.example").Domain("a.example"),
		"a path of 1024":            id.Path("/" + long[:1023]),
		"the same path twice":       id.Path("/a").Path("/a"),
		"one second":                id.MaxAge(time.Second),
		"400 days":                  id.MaxAge(400 * day),
		"insecure anywhere, shared": id.InsecureAnywhere().Domain("example.com"),
		"twice insecure":            id.Insecure().Insecure(),
		"partitioned under /":       id.SameSiteNone().Partitioned().Path("/"),
	} {
		if p.Err() != nil {
			t.Errorf("%s: %v", name, p.Err())
		}
	}
}

func TestChainKeepsFirstError(t *testing.T) {
	first := cookie.New("id").MaxAge(0)
	if got := first.Domain("").Path("").Insecure().SameSiteNone().MaxAge(time.Hour).Err(); got != first.Err() {
		t.Errorf("got %v, want %v", got, first.Err())
	}
}

func TestPoliciesAreComparableAndImmutable(t *testing.T) {
	p := cookie.New("id")
	q := p
	p.SameSiteLax().Domain("example.com").MaxAge(time.Hour)
	if p != q || p != cookie.New("id") || p == (cookie.Policy{}) || p == p.SameSiteLax() {
		t.Error("a policy is not a plain value")
	}
	if bad := cookie.New(""); bad == (cookie.Policy{}) {
		t.Error("a policy with an error equals the zero Policy")
	}
	// A constructor can compare policies to see whether one is loosened.
	if loose := p.ReadableByScripts(); loose.ReadableByScripts() != loose {
		t.Error("loosening twice changes the policy")
	}
}
