package middleware_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authlatch/auth/middleware"
)

// hostile are values that an attacker puts into a link to the login page.
// CVE-2022-40083, CVE-2021-21291, CVE-2021-21411.
var hostile = []struct{ name, next string }{
	{"nothing", ""},
	{"a word", "me"},
	{"a dot", "./me"},
	{"a query alone", "?a=b"},
	{"a fragment alone", "#a"},
	{"another site", "https://evil.example/"},
	{"another site in capitals", "HTTPS://EVIL.EXAMPLE/"},
	{"another site with one slash", "https:/evil.example/"},
	{"another site without a slash", "https:evil.example"},
	{"another site with a backslash", `https:\\evil.example`},
	{"our own site, which may be another by DNS", "https://app.example/me"},
	{"our own site as a user", "https://app.example@evil.example/"},
	{"a host without a scheme", "evil.example/me"},
	{"a user without a scheme", "app.example@evil.example"},
	{"a script", "javascript:alert(1)"},
	{"a script in mixed case", "JaVaScRiPt:alert(1)"},
	{"a script behind a space", " javascript:alert(1)"},
	{"a script behind a control character", "\x01javascript:alert(1)"},
	{"a script with a tab in it", "java\tscript:alert(1)"},
	{"a script with a line feed in it", "java\nscript:alert(1)"},
	{"data", "data:text/html,<script>alert(1)</script>"},
	{"two slashes", "//evil.example"},
	{"two slashes and a user", "//app.example@evil.example/me"},
	{"two slashes and a port", "//evil.example:443/me"},
	{"two slashes and an IPv6 address", "//[::1]/me"},
	{"two slashes alone", "//"},
	{"three slashes", "///evil.example"},
	{"four slashes", "////evil.example"},
	{"a slash and a backslash", `/\evil.example`},
	{"a backslash and a slash", `\/evil.example`},
	{"two backslashes", `\\evil.example`},
	{"a slash and two backslashes", `/\\evil.example`},
	{"a backslash in the query", `/me?a=\evil.example`},
	{"a space in the query", "/me?a= b"},
	{"a letter of another script in the query", "/me?a=ä"},
	{"a tab between two slashes", "/\t/evil.example"},
	{"a line feed between two slashes", "/\n/evil.example"},
	{"a carriage return between two slashes", "/\r/evil.example"},
	{"a tab before two slashes", "\t//evil.example"},
	{"a space before two slashes", " //evil.example"},
	{"a NUL between two slashes", "/\x00/evil.example"},
	{"a tab before a backslash", "/\t\\evil.example"},
	{"a header of its own", "/me\r\nSet-Cookie: a=b"},
	{"a header of its own, encoded", "/me%0d%0aSet-Cookie:%20a=b"},
	{"a space at the end", "/me "},
	{"a space inside", "/m e"},
	{"an encoded slash", "/%2fevil.example"},
	{"an encoded slash in capitals", "/%2Fevil.example"},
	{"two encoded slashes", "/%2f%2fevil.example"},
	{"an encoded slash in the middle", "/a%2f/evil.example"},
	{"an encoded backslash", "/%5cevil.example"},
	{"an encoded backslash in capitals", "/%5Cevil.example"},
	{"an encoded backslash in the middle", "/a/%5c/evil.example"},
	{"an encoded tab between two slashes", "/%09/evil.example"},
	{"an encoded line feed between two slashes", "/%0a/evil.example"},
	{"an encoded NUL", "/%00/evil.example"},
	{"an encoded DEL", "/%7f/evil.example"},
	{"a slash that is encoded twice", "/%252fevil.example"},
	{"two slashes that are encoded twice", "/%252f%252fevil.example"},
	{"a slash that is encoded three times", "/%25252fevil.example"},
	{"a backslash that is encoded twice", "/%255cevil.example"},
	{"a dot segment that is encoded twice", "/%252e%252e/evil.example"},
	{"an encoding that ends early", "/%2"},
	{"an encoding that is none", "/%zz"},
	{"an encoding that ends early in a fragment", "/?#%"},
	{"a dot segment", "/./me"},
	{"a dot segment before a slash", "/.//evil.example"},
	{"a dot segment at the end", "/me/."},
	{"two dots", "/../me"},
	{"two dots before a slash", "/a/..//evil.example"},
	{"two dots at the end", "/me/.."},
	{"encoded dots", "/%2e%2e/me"},
	{"an encoded dot", "/%2e//evil.example"},
	{"half-encoded dots", "/a/.%2e//evil.example"},
	{"two dots before an encoded slash", "/a/..%2f/evil.example"},
	{"two dots before a fragment, which net/http would clean", "/a#/../../evil.example"},
	{"two slashes in the middle", "/a//evil.example"},
	{"two slashes at the end", "/a//"},
	{"two dots, then a fragment", "/..#x"},
	{"a dot, then a fragment", "/.#/y"},
	{"an encoded dot, then a fragment", "/%2e#"},
	{"two slashes in a fragment, which net/http would clean", "/a#//evil.example"},
	{"parameters of an empty segment", "/;/evil.example"},
	{"parameters with a value", "/;jsessionid=1/evil.example"},
	{"parameters of two dots", "/..;/x"},
	{"parameters of a dot", "/.;/x"},
	{"parameters of two dots, and two slashes behind", "/a/..;x=y;z//evil.example"},
	{"parameters of an encoded dot", "/%2e;/x"},
	{"parameters of half-encoded dots", "/a/.%2E;b/../x"},
	{"an encoded semicolon in an empty segment", "/%3b/evil.example"},
	{"an encoded semicolon in capitals", "/%3B/evil.example"},
	{"an encoded semicolon behind two dots", "/..%3bx/evil.example"},
	{"a semicolon that is encoded twice", "/%253b/evil.example"},
	{"parameters of an empty segment in the middle", "/a/;b/c"},
	{"parameters of an empty segment at the end", "/a/;"},
	{"parameters of nothing", "/;"},
	{"two semicolons", "/;;/evil.example"},
	{"parameters of two dots, then a fragment", "/..;a#b"},
	{"two dots, then a fragment with a semicolon", "/..#;"},
	{"an encoded slash in parameters", "/a;b=%2f/evil.example"},
	{"an encoded slash before parameters", "/a%2f;/evil.example"},
	{"an encoded backslash before parameters", "/a%5c;/evil.example"},
	{"an encoded space in an empty segment", "/%20/evil.example"},
	{"an encoded space behind two dots", "/..%20/x"},
	{"an encoded space before parameters", "/%20;/evil.example"},
	{"an encoded no-break space", "/%c2%a0/evil.example"},
	{"an encoded control character of Latin 1", "/%c2%85/evil.example"},
	{"an encoded control character inside of a name", "/a%c2%9bb"},
	{"an encoded line separator", "/%e2%80%a8/evil.example"},
	{"an overlong slash", "/%c0%af/evil.example"},
	{"an overlong dot", "/%c0%ae%c0%ae/x"},
	{"an encoded byte that is not UTF-8", "/%ff/evil.example"},
	{"a slash of another script", "/／evil.example"},
	{"a slash of another script first", "／／evil.example"},
	{"a dot of another script", "//evil。example"},
	{"a right-to-left override", "/\u202eevil"},
	{"a byte order mark", "\ufeff//evil.example"},
	{"a no-break space", "/\u00a0/evil.example"},
	{"a byte that is not UTF-8", "/\xff/evil.example"},
	{"a line separator", "/\u2028/evil.example"},
	{"DEL", "/\x7f/evil.example"},
	{"what is longer than 2048 bytes", "/" + strings.Repeat("a", 2048)},
	{"what is very long", "/" + strings.Repeat("/a", 1<<20)},
}

// ASVS 5.0, 1.2.2 and 3.7.2.
func TestSafeNextRefuses(t *testing.T) {
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			if got := middleware.SafeNext(test.next); got != "/" {
				t.Errorf("SafeNext(%q) = %q", test.next, got)
			}
		})
	}
}

// Paths on the site are returned unchanged.
var harmless = []struct{ name, next string }{
	{"the start page", "/"},
	{"a page", "/me"},
	{"a page in a folder", "/reports/2026/11"},
	{"a slash at the end", "/reports/"},
	{"a query", "/search?q=a+b&page=2"},
	{"an empty query", "/search?"},
	{"a query of the start page", "/?a=b"},
	{"a URL in the query", "/go?to=https://evil.example//x"},
	{"an encoded URL in the query", "/go?to=https%3A%2F%2Fevil.example%2F%2Fx"},
	{"dots in the query", "/go?to=/../x"},
	{"a percent sign in the query", "/go?rate=100%2525&x=%zz"},
	{"a question mark in the query", "/go?a=?b"},
	{"a fragment", "/docs#part-2"},
	{"a fragment behind a query", "/docs?v=2#part-2"},
	{"a space that is encoded", "/my%20file"},
	{"letters that are encoded", "/caf%C3%A9"},
	{"a slash that is encoded inside of a name", "/repos/a%2Fb"},
	{"a colon", "/a:b"},
	{"an at sign", "/@alice"},
	{"what looks like a user and a host", "/app.example@evil.example"},
	{"what looks like a script", "/javascript:alert(1)"},
	{"three dots", "/a/.../b"},
	{"a dot in front", "/.well-known/x"},
	{"parameters of a page", "/me;lang=de/more;a;b=c"},
	{"parameters of three dots", "/...;a/b"},
	{"parameters in the query", "/me?a=/;/b&c=/..;/d"},
	{"a space inside of a name, encoded", "/my%20file;v=1"},
	{"two dots in a name", "/a..b"},
	{"what RFC 3986 allows", "/-._~!$&'()*+,;=:@?-._~!$&'()*+,;=:@/?"},
	{"2048 bytes", "/" + strings.Repeat("a", 2047)},
}

func TestSafeNextKeepsWhatStays(t *testing.T) {
	for _, test := range harmless {
		t.Run(test.name, func(t *testing.T) {
			if got := middleware.SafeNext(test.next); got != test.next {
				t.Errorf("SafeNext(%q) = %q", test.next, got)
			}
			staysHere(t, test.next)
		})
	}
}

// For any input, the result is a path on this site for every parser that may read it.
func FuzzSafeNext(f *testing.F) {
	for _, test := range hostile {
		if len(test.next) < 4096 {
			f.Add(test.next)
		}
	}
	for _, test := range harmless {
		f.Add(test.next)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := middleware.SafeNext(next)
		if got != next && got != "/" {
			t.Fatalf("SafeNext(%q) invented %q", next, got)
		}
		if middleware.SafeNext(got) != got {
			t.Fatalf("SafeNext(%q) is not idempotent", got)
		}
		staysHere(t, got)
	})
}

func staysHere(t *testing.T, next string) {
	t.Helper()
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		t.Fatalf("%q does not begin with exactly one slash", next)
	}
	base, _ := url.Parse("https://app.example/login")
	// Browsers and proxies apply these transformations, in any order.
	readers := map[string]func(string) string{
		"http.Redirect": redirected, "a decoder": decoded, "a proxy that strips parameters": stripped, "a browser": browsed,
	}
	read := map[string]string{"net/url": next}
	for range 4 {
		further := maps.Clone(read)
		for on, text := range read {
			for name, reader := range readers {
				if again := reader(text); again != text {
					further[on+", "+name] = again
				}
			}
		}
		if len(further) == len(read) {
			break
		}
		read = further
	}
	for way, text := range read {
		// A decoded path may not be a URL because of a percent sign or a space.
		// Only its beginning matters.
		if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.HasPrefix(text, `/\`) {
			t.Fatalf("%q is read as %q: %s", next, text, way)
		}
		if u, err := base.Parse(text); err == nil && (u.Scheme != "https" || u.Host != "app.example" || u.User != nil) {
			t.Fatalf("%q leads to %v: %s", next, u, way)
		}
	}
	if u, err := base.Parse(next); err != nil || u.Host != "app.example" {
		t.Fatalf("%q is not a URL: %v", next, err)
	}
	if redirected(next) != next {
		t.Fatalf("http.Redirect changes %q to %q", next, redirected(next))
	}
}

// redirected is the Location that http.Redirect sets for next.
func redirected(next string) string {
	w := httptest.NewRecorder()
	http.Redirect(w, get("/login"), next, http.StatusSeeOther)
	return w.Header().Get("Location")
}

// decoded decodes the path of next as a lenient parser does.
func decoded(next string) string {
	path, rest, found := strings.Cut(next, "?")
	var b strings.Builder
	for path != "" {
		if c, err := url.PathUnescape(path[:min(3, len(path))]); err == nil && path[0] == '%' {
			b.WriteString(c)
			path = path[3:]
			continue
		}
		b.WriteByte(path[0])
		path = path[1:]
	}
	if found {
		return b.String() + "?" + rest
	}
	return b.String()
}

// stripped removes the parameters of the path, as Tomcat and some proxies do: from
// each semicolon to the end of the segment.
func stripped(next string) string {
	path, rest := next, ""
	if end := strings.IndexAny(next, "?#"); end >= 0 {
		path, rest = next[:end], next[end:]
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/") + rest
}

// browsed parses a reference on an https page as a browser does, as far as the host
// is concerned (WHATWG URL, 4.4): it strips controls and spaces from both ends,
// removes tabs and line ends, treats a backslash before the query as a slash, and
// resolves dot segments, encoded ones too.
func browsed(next string) string {
	next = strings.TrimFunc(next, func(r rune) bool { return r <= ' ' })
	next = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(next)
	end := strings.IndexAny(next, "?#")
	if end < 0 {
		end = len(next)
	}
	path, rest := strings.ReplaceAll(next[:end], `\`, "/"), next[end:]
	if strings.HasPrefix(path, "//") {
		return path + rest // a host follows
	}
	var kept []string
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			if len(kept) > 1 {
				kept = kept[:len(kept)-1]
			}
		case ".":
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return strings.Join(kept, "/") + rest
}
