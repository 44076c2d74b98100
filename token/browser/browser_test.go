package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth/token/browser"
)

func Example() {
	site := http.NewServeMux()
	site.Handle("/auth/", http.StripPrefix("/auth/", browser.Handler()))

	// The page says: import { createClient } from '/auth/authlatch.js'
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("GET", "/auth/authlatch.js", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 text/javascript; charset=utf-8
}

var names = []string{"authlatch.js", "authlatch.d.ts", "axios.js", "axios.d.ts"}

func serve(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	browser.Handler().ServeHTTP(w, r)
	return w
}

func TestWhatIsServed(t *testing.T) {
	for name, test := range map[string]struct {
		method, path string
		status       int
	}{
		"the module":            {"GET", "/authlatch.js", 200},
		"its types":             {"GET", "/authlatch.d.ts", 200},
		"the adapter":           {"GET", "/axios.js", 200},
		"its types too":         {"GET", "/axios.d.ts", 200},
		"the head alone":        {"HEAD", "/authlatch.js", 200},
		"no other file":         {"GET", "/browser.go", 404},
		"no folder":             {"GET", "/", 404},
		"no way up":             {"GET", "/x/../authlatch.js", 404},
		"no second slash":       {"GET", "//authlatch.js", 404},
		"no post":               {"POST", "/authlatch.js", 405},
		"no options":            {"OPTIONS", "/authlatch.js", 405},
		"404 before the method": {"POST", "/other.js", 404},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(test.method, test.path)
			if w.Code != test.status {
				t.Errorf("status %d", w.Code)
			}
			if allow := w.Header().Get("Allow"); (w.Code == 405) != (allow == "GET, HEAD") {
				t.Errorf("Allow: %q", allow)
			}
			if test.method == "HEAD" && w.Body.Len() > 0 {
				t.Error("HEAD has a body")
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	for _, name := range names {
		h := serve("GET", "/"+name).Header()
		contentType := "text/javascript; charset=utf-8"
		if strings.HasSuffix(name, ".d.ts") {
			contentType = "text/plain; charset=utf-8"
		}
		for field, value := range map[string]string{
			"Content-Type": contentType, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache",
		} {
			if got := h.Get(field); got != value {
				t.Errorf("%s: %s: %q", name, field, got)
			}
		}
	}
}

// RFC 9110, 8.8.3 and 13.1.2
func TestACopyIsAskedForWithItsTag(t *testing.T) {
	tags := make(map[string]string)
	for _, name := range names {
		tag := serve("GET", "/"+name).Header().Get("ETag")
		if !regexp.MustCompile(`^"[\w-]{22}"$`).MatchString(tag) {
			t.Errorf("%s: ETag %s is not a strong one", name, tag)
		}
		if other, ok := tags[tag]; ok {
			t.Errorf("%s and %s have one ETag", name, other)
		}
		tags[tag] = name
		for match, status := range map[string]int{tag: 304, "W/" + tag: 304, `"other", ` + tag: 304, "*": 304, `"other"`: 200} {
			w := serve("GET", "/"+name, "If-None-Match", match)
			if w.Code != status || (w.Body.Len() == 0) != (status == 304) || w.Header().Get("ETag") != tag {
				t.Errorf("%s: If-None-Match %s: status %d, %d bytes", name, match, w.Code, w.Body.Len())
			}
		}
	}
}

// What the module must not have, however it is written: the pages that import it
// may have the strictest Content-Security-Policy and no build step.
func TestTheModulesText(t *testing.T) {
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := serve("GET", "/"+name).Body.String(); got != string(text) {
			t.Errorf("%s is not served as it stands", name)
		}
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		code := regexp.MustCompile(`(?m)(^|\s)//.*$`).ReplaceAllString(string(text), "")
		for what, pattern := range map[string]string{
			"an import":            `\bimport\b|\brequire\(`,
			"made code":            `\beval\b|\bFunction\(|innerHTML|document\.write`,
			"a readable cookie":    `document\.cookie|cookieStore`,
			"other storage":        `sessionStorage|indexedDB|\bcaches\b`,
			"a token in storage":   `setItem\([^)]*(access|token|answer)`,
			"a redirect":           `location\.(assign|replace|href)|history\.`,
			"a log":                `console\.(?:[^w]|w[^a])`,
			"another host":         `https?://`,
			"a clock of its own":   `new Date`,
			"something unfinished": `TO` + `DO|FIX` + `ME|debugger`,
		} {
			if found := regexp.MustCompile(pattern).FindString(code); found != "" {
				t.Errorf("%s has %s: %s", name, what, found)
			}
		}
		for _, call := range []string{"setItem(", "console.warn("} {
			if strings.Count(code, call) > 1 {
				t.Errorf("%s calls %s in more than one place", name, call)
			}
		}
	}
}

// The npm package has the files that the handler serves, the licence and the version of
// the module, and needs nothing.
func TestThePackageIsTheModule(t *testing.T) {
	var p struct {
		Version, License, Type string
		Files                  []string
		SideEffects            *bool
		Private                bool
		Dependencies           map[string]string
	}
	text, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	files, want := slices.Sorted(slices.Values(p.Files)), slices.Sorted(slices.Values(names))
	if !slices.Equal(files, want) || p.Type != "module" || p.SideEffects == nil || *p.SideEffects || p.Private || p.Dependencies != nil {
		t.Errorf("package.json: %+v", p)
	}
	changes, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	// The latest release, or the one that is to come.
	if found := regexp.MustCompile(`(?m)^## |This becomes `).FindIndex(changes); found == nil ||
		!regexp.MustCompile(`^[^#]*\b`+regexp.QuoteMeta(p.Version)+`\b`).Match(changes[found[1]:]) {
		t.Errorf("CHANGELOG.md does not begin with version %s", p.Version)
	}
	ours, err := os.ReadFile("LICENSE")
	root, errRoot := os.ReadFile("../../LICENSE")
	if err != nil || errRoot != nil || string(ours) != string(root) || p.License != "MIT" {
		t.Errorf("LICENSE is not that of the module: %v, %v", err, errRoot)
	}
}
