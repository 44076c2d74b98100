package migrate

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/authlatch/auth/token/browser"
)

// The script of docs/migrating.md moves the token of a page in a real browser, once.
func TestThePageMovesItsToken(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(text), "```js\n")
	script, _, _ = strings.Cut(script, "```")
	memory := &brittle{}
	issuer := newIssuer(t, memory)
	mux := http.NewServeMux()
	mux.Handle("/", moveTokens([]byte(shared), issuer, memory, time.Now().Add(time.Hour)))
	mux.Handle("GET /authlatch.js", browser.Handler())
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title></title><script type="module">
import { createClient } from '/authlatch.js';
let shown = false;
const showLogin = () => { shown = true; };
if (location.hash) localStorage.setItem('jwt', location.hash.slice(1));
%s
const me = await client.fetch('/me');
document.title = [shown, me.status, (await me.text()).trim(), localStorage.getItem('jwt')].join(' ');
</script>`, script)
	})
	site := httptest.NewServer(mux)
	defer site.Close()
	alice := &visitor{cookies: map[string]string{}}
	_, old := alice.send(withGolangJWT([]byte(shared)), "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
	page := strings.Replace(site.URL, "127.0.0.1", "localhost", 1) + "/page"
	ctx := chromium(t)
	for _, c := range []struct{ rule, url, want string }{
		{"no login", page, "true 401"},
		{"the old token", page + "?1#" + old, "false 200 alice"},
		{"later", page + "?2", "false 200 alice"},
	} {
		if err := chromedp.Do(ctx, chromedp.Navigate(c.url)); err != nil {
			t.Fatal(err)
		}
		title, err := chromedp.Run(ctx, chromedp.Poll[string]("document.title", chromedp.WithPollingTimeout(0)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(title, c.want) || strings.Contains(title, "eyJ") {
			t.Errorf("%s: %q", c.rule, title)
		}
	}
	if logins, err := issuer.Logins(t.Context(), "alice"); err != nil || len(logins) != 1 {
		t.Errorf("%d logins, %v", len(logins), err)
	}
}

// chromium starts a browser, which ends with the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	file, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is missing: ./test.sh installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(file), chromedp.Env("TMPDIR="+t.TempDir()))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(end)
	ctx, closed := chromedp.NewContext(ctx)
	t.Cleanup(closed)
	return ctx
}
