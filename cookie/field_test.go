package cookie_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth/cookie"
)

func TestDeleteHasTheSameAttributes(t *testing.T) {
	h := http.Header{}
	p := cookie.New("id").Domain("example.com").Path("/auth").SameSiteLax()
	if err := p.Delete(h, nil); err != nil {
		t.Fatal(err)
	}
	const want = "__Secure-id=; Path=/auth; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
	if h.Get("Set-Cookie") != want {
		t.Errorf("got  %q\nwant %q", h.Get("Set-Cookie"), want)
	}
}

// ASVS 5.0, 1.2.1, 3.3.5 and 4.2.5.
func TestSetRefusesValues(t *testing.T) {
	p := cookie.Session()
	room := 4093 - len(p.Name())
	for _, test := range []struct {
		name, value string
		ok          bool
	}{
		{"one octet", "v", true},
		{"base64url", "AZaz09-_", true},
		{"every cookie-octet", octets(), true},
		{"3.3.5 4092 bytes", strings.Repeat("v", room-1), true},
		{"3.3.5 4093 bytes", strings.Repeat("v", room), true},
		{"3.3.5 4094 bytes", strings.Repeat("v", room+1), false},
		{"3.3.5 a mebibyte", strings.Repeat("v", 1<<20), false},
		{"empty", "", false},
		{"1.2.1 space", "a b", false},
		{"1.2.1 quote", `"a"`, false},
		{"1.2.1 comma", "a,b", false},
		{"1.2.1 semicolon", "a;b", false},
		{"1.2.1 backslash", `a\b`, false},
		{"1.2.1 line break", "a\r\nb", false},
		{"1.2.1 tab", "a\tb", false},
		{"1.2.1 NUL", "a\x00", false},
		{"1.2.1 DEL", "a\x7f", false},
		{"1.2.1 not ASCII", "ä", false},
		{"1.2.1 invalid UTF-8", "\xff", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{"Set-Cookie": {p.Name() + "=old"}}
			err := p.Set(h, nil, test.value)
			if (err == nil) != test.ok {
				t.Fatalf("error %v", err)
			}
			want := "old"
			if test.ok {
				want = test.value
			} else if test.value != "" && strings.Contains(err.Error(), test.value) {
				t.Error("the error contains the value")
			}
			if got, ok := p.Pending(h); got != want || !ok {
				t.Errorf("Pending = %.20q, %v", got, ok)
			}
		})
	}
}

// octets returns every cookie-octet, by the ranges of RFC 6265, 4.1.1.
func octets() string {
	var b strings.Builder
	for c := range 256 {
		if c == 0x21 || 0x23 <= c && c <= 0x2B || 0x2D <= c && c <= 0x3A || 0x3C <= c && c <= 0x5B || 0x5D <= c && c <= 0x7E {
			b.WriteByte(byte(c))
		}
	}
	return b.String()
}

func TestOneSetCookiePerName(t *testing.T) {
	p := cookie.Session()
	shared := []string{
		"first=1; Path=/",
		"__Host-Http-session=a; Path=/",
		" __Host-Http-session =b",
		"__host-http-session=other; Path=/",
		"__Host-Http-session2=other",
		"__Host-Http-sessio=__Host-Http-session=",
	}
	kept := append([]string{shared[0]}, shared[3:]...)
	h := http.Header{"Set-Cookie": shared}
	before := slices.Clone(shared)
	if err := p.Set(h, nil, "c"); err != nil {
		t.Fatal(err)
	}
	if want := append(slices.Clone(kept), "__Host-Http-session=c; Path=/; HttpOnly; Secure; SameSite=Lax"); !slices.Equal(h["Set-Cookie"], want) {
		t.Errorf("after Set: %q", h["Set-Cookie"])
	}
	if !slices.Equal(shared, before) {
		t.Error("Set changed a shared slice")
	}
	if err := p.Delete(h, nil); err != nil {
		t.Fatal(err)
	}
	if want := append(slices.Clone(kept), "__Host-Http-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"); !slices.Equal(h["Set-Cookie"], want) {
		t.Errorf("after Delete: %q", h["Set-Cookie"])
	}
}

func TestPending(t *testing.T) {
	p := cookie.Session()
	h := http.Header{}
	check := func(when, want string, wantOK bool) {
		t.Helper()
		if got, ok := p.Pending(h); got != want || ok != wantOK {
			t.Errorf("%s: Pending = %q, %v", when, got, ok)
		}
	}
	check("at first", "", false)
	h.Add("Set-Cookie", "session=other")
	h.Add("Set-Cookie", "x=y; __Host-Http-session=z")
	check("beside others", "", false)
	p.Set(h, nil, "a=b")
	check("after Set", "a=b", true)
	p.Delete(h, nil)
	check("after Delete", "", true)
	p.Set(h, nil, "c")
	check("after Set again", "c", true)
	h.Add("Set-Cookie", "__Host-Http-session=d; Path=/")
	check("after a header of other code", "d", true)
}

// ASVS 5.0, 13.4.2.
func TestInsecureIsForLoopbackHosts(t *testing.T) {
	for _, test := range []struct {
		host string
		ok   bool
	}{
		{"localhost", true},
		{"localhost:8080", true},
		{"LocalHost:8080", true},
		{"app.localhost:8080", true},
		{"a.b.localhost", true},
		{"127.0.0.1", true},
		{"127.0.0.1:8080", true},
		{"127.255.1.2:80", true},
		{"[::1]", true},
		{"[::1]:8080", true},
		{"", false},
		{"example.com", false},
		{"localhost.example.com", false},
		{"notlocalhost", false},
		{"localhost.", false},
		{"127.0.0.1.example.com", false},
		{"127.1", false},
		{"128.0.0.1", false},
		{"10.0.0.1:8080", false},
		{"0.0.0.0:8080", false},
		{"[::]", false},
		{"[::2]:80", false},
		{"[fe80::1]", false},
		{"example.com:.localhost", false},
		{"localhost@example.com", false},
		{"localhost:80:80", false},
	} {
		t.Run("13.4.2 "+test.host, func(t *testing.T) {
			r := request()
			r.Host = test.host
			h := http.Header{}
			if err := cookie.New("id").Insecure().Set(h, r, "v"); (err == nil) != test.ok {
				t.Errorf("Set: %v", err)
			}
			if (len(h) == 1) != test.ok {
				t.Errorf("header %v", h)
			}
			if err := cookie.New("id").Insecure().Delete(h, r); (err == nil) != test.ok {
				t.Errorf("Delete: %v", err)
			}
			if err := cookie.New("id").InsecureAnywhere().Set(h, r, "v"); err != nil {
				t.Errorf("InsecureAnywhere: %v", err)
			}
		})
	}
	// Without a request the host is unknown.
	if cookie.New("id").Insecure().Set(http.Header{}, nil, "v") == nil {
		t.Error("Insecure accepts a nil request")
	}
}
