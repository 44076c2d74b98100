package conformance

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
)

// The scenario that client code is known to fail at: four calls, the access token
// has expired, one of them is slow.
func TestBrowserClientFourCallsMakeOneRefresh(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("?frozen") // only a 401 causes a refresh
	expire()
	if got := b.calls("/me", "/me", "/slow", "/me"); got != "200,200,200,200" {
		t.Errorf("the calls end in %s", got)
	}
	if got := statusesOf(s.seen("POST", "/refresh")); got != "200" {
		t.Errorf("refreshes: %s", got)
	}
	if got := statusesOf(append(s.seen("GET", "/me"), s.seen("GET", "/slow")...)); got != "200 200 200 200 401 401 401 401" {
		t.Errorf("calls: %s", got)
	}
	if b.lost() != "" || s.count(auth.EventRenewed) != 1 {
		t.Errorf("lost %q, %d refreshes", b.lost(), s.count(auth.EventRenewed))
	}
}

func TestBrowserClientRefreshesBeforeItIsDue(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	expire()
	if got := b.calls("/me", "/me", "/slow", "/me"); got != "200,200,200,200" {
		t.Errorf("the calls end in %s", got)
	}
	if got := statusesOf(append(s.seen("GET", "/me"), s.seen("GET", "/slow")...)); got != "200 200 200 200" {
		t.Errorf("calls: %s", got)
	}
	if got := statusesOf(s.seen("POST", "/refresh")); got != "200" {
		t.Errorf("refreshes: %s", got)
	}
}

// ASVS 5.0, 10.4.5.
func TestBrowserClientTwoTabsRefreshAtOnce(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	a := s.customer("?frozen")
	b := s.load(a.another(), "?frozen")
	b.eventually("ready()", "true")
	for round := range 2 {
		expire()
		s.change(func() { s.meet = &meeting{} })
		before := len(s.seen("POST", "/refresh"))
		var wait sync.WaitGroup
		for _, tab := range []tab{a, b} {
			wait.Go(func() { tab.eventually(`call("/me")`, "200") })
		}
		wait.Wait()
		if n := len(s.seen("POST", "/refresh")) - before; n != 2 {
			t.Fatalf("round %d: %d refreshes have met", round, n)
		}
	}
	s.change(func() { s.meet = nil })
	expire()
	if a.calls("/me") != "200" || b.calls("/me") != "200" || a.lost()+b.lost() != "" {
		t.Errorf("lost %q, %q", a.lost(), b.lost())
	}
	if s.count(auth.EventReuse) != 0 {
		t.Error("a tab was taken for a thief")
	}
}

func TestBrowserClientTabsShareANewToken(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	a := s.customer("")
	b := s.load(a.another(), "")
	b.eventually("ready()", "true")
	expire()
	a.calls("/me")
	before := len(s.seen("POST", "/refresh"))
	b.calls("/me")
	if n := len(s.seen("POST", "/refresh")); n != before {
		t.Error("the other tab has refreshed as well")
	}
}

func TestBrowserClientAReloadKeepsTheLogin(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	s.load(b, "")
	if got := b.calls("/me", "/me", "/me"); got != "200,200,200" {
		t.Errorf("after a reload the calls end in %s", got)
	}
	if got := statusesOf(s.seen("POST", "/refresh")); got != "200" {
		t.Errorf("refreshes: %s", got)
	}
	if got := statusesOf(s.seen("GET", "/me")); got != "200 200 200" {
		t.Errorf("calls: %s", got)
	}
	other := s.load(newTab(t), "") // another browser has nothing of it
	other.eventually("ready()", "false")
}

// The server has refreshed, its answer was lost, and so was the page.
func TestBrowserClientALostAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	expire()
	s.change(func() { s.cut = true })
	if got := b.calls("/me"); got != "TypeError" {
		t.Errorf("without an answer to its refresh a call ends in %s", got)
	}
	s.change(func() { s.cut = false })
	time.Sleep(refreshWindow + 200*time.Millisecond)
	s.load(b, "")
	b.eventually("ready()", "true")
	if s.count(auth.EventRecovered) != 1 || s.count(auth.EventReuse) != 0 || b.lost() != "" {
		t.Errorf("%d recoveries, %d reuses", s.count(auth.EventRecovered), s.count(auth.EventReuse))
	}
}

func TestBrowserClientALogoutEndsTheOtherTab(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	a := s.customer("")
	b := s.load(a.another(), "")
	b.eventually("ready()", "true")
	eval[bool](a, `client.logout().then(() => true)`)
	b.eventually(`lost.join()`, "logged out")
	for _, tab := range []tab{a, b} {
		tab.eventually("ready()", "false")
		if got := tab.calls("/me"); got != "401" {
			t.Errorf("after the logout a call ends in %s", got)
		}
	}
	if a.lost() != "" || s.refreshToken(a) != "" {
		t.Errorf("lost %q, or the cookie is still there", a.lost())
	}
	s.load(b, "")
	b.eventually("ready()", "false")
	eval[any](b, `login()`)
	a.eventually("ready()", "true") // and a login is one for both
}

// ASVS 5.0, 14.3.3.
// Neither token is where another script would look.
func TestBrowserClientNoScriptFindsAToken(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	b.calls("/me")
	s.nothingIsFound(b, strings.TrimPrefix(s.asked(0, "/me")[0].authorization, "Bearer "))
	s.load(b, "")
	b.calls("/me")
	s.nothingIsFound(b, strings.TrimPrefix(s.asked(0, "/me")[2].authorization, "Bearer "))
	if got := eval[string](b, `client.fetch("/refresh", {method: "POST"}).then((r) => r.headers.get("Set-Cookie") + " " + r.status)`); got != "null 403" {
		t.Errorf("without an attempt a refresh ends in %s", got)
	}
}

func (s *tokenSite) nothingIsFound(b tab, access string) {
	b.t.Helper()
	refresh := s.refreshToken(b)
	if len(access) < 100 || len(refresh) < 40 {
		b.t.Fatal("there are no tokens to look for")
	}
	for what, script := range map[string]string{
		"document.cookie": `document.cookie`,
		"cookieStore":     `cookieStore.getAll().then(JSON.stringify)`,
		"storage":         `JSON.stringify([{...localStorage}, {...sessionStorage}])`,
		"indexedDB":       `indexedDB.databases().then(JSON.stringify)`,
		"caches":          `caches.keys().then(String)`,
		"the page":        `document.documentElement.outerHTML + location.href + name + document.title`,
		"the client":      `JSON.stringify(client) + Object.getOwnPropertyNames(client).map((name) => client[name].toString() + JSON.stringify(client[name])).join()`,
		"the globals":     `Object.keys(globalThis).map((name) => { try { return JSON.stringify(globalThis[name]) } catch { return "" } }).join()`,
		"what was loaded": `JSON.stringify(performance.getEntries())`,
		"an answer":       `client.fetch("/me").then(async (r) => JSON.stringify([r.url, ...r.headers]) + await r.text())`,
	} {
		text := eval[string](b, `Promise.resolve(`+script+`).then(String)`)
		if strings.Contains(text, refresh) || strings.Contains(text, access) || strings.Contains(text, refreshCookie) {
			b.t.Errorf("a script finds a token in %s", what)
		}
	}
}

// steals refreshes as a second client does that has nothing but the cookie.
func (s *tokenSite) steals(refreshToken string) (status int, successor string) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(s.t.Context(), "POST", "https://127.0.0.1:"+s.port+"/refresh", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = app + ":" + s.port
	r.Header.Set("Refresh-Attempt", "thief-thief-thief-thief")
	r.Header.Set("Cookie", refreshCookie+"="+refreshToken)
	res, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	for _, c := range res.Cookies() {
		successor = c.Value
	}
	return res.StatusCode, successor
}

// ASVS 5.0, 10.4.5.
func TestBrowserClientAStolenTokenEndsTheLoginForBoth(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"the owner", "the thief"} {
		t.Run(first+" refreshes first", func(t *testing.T) {
			s := openTokenSite(t)
			b := s.customer("")
			stolen := s.refreshToken(b)
			expire()
			successor := stolen
			if first == "the owner" {
				b.eventually(`call("/me")`, "200")
				time.Sleep(refreshWindow + 200*time.Millisecond)
				if status, _ := s.steals(stolen); status != http.StatusUnauthorized {
					t.Errorf("the thief gets status %d", status)
				}
			} else {
				status, next := s.steals(stolen)
				if status != http.StatusOK {
					t.Fatalf("the thief gets status %d", status)
				}
				successor = next
				time.Sleep(refreshWindow + 200*time.Millisecond)
			}
			expire()
			if got := b.calls("/me"); got != "401" {
				t.Errorf("the owner's next call ends in %s", got)
			}
			b.eventually(`lost.join()`, "reused")
			if status, _ := s.steals(successor); status != http.StatusUnauthorized {
				t.Errorf("the thief goes on with status %d", status)
			}
			if n := s.count(auth.EventReuse); n != 1 {
				t.Errorf("%d events", n)
			}
		})
	}
}

// ASVS 5.0, 3.5.1
func TestBrowserClientARefreshForAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	before := s.refreshToken(b)
	evil := b.another()
	for _, host := range []string{foreign, sibling} {
		for _, path := range []string{"/refresh", "/logout"} {
			target := s.url(app, path)
			for what, body := range map[string]string{
				"a form":         `<form method="post" action="` + target + `"><button>Win</button></form><script>document.forms[0].submit()</script>`,
				"a frame":        `<iframe sandbox="allow-forms allow-scripts" srcdoc='<form method="post" action="` + target + `"></form><script>document.forms[0].submit()</script>'></iframe>`,
				"a plain fetch":  `<script>fetch("` + target + `", {method: "POST", mode: "no-cors", credentials: "include"})</script>`,
				"one that reads": `<script>fetch("` + target + `", {method: "POST", credentials: "include"})</script>`,
				"the header":     `<script>fetch("` + target + `", {method: "POST", credentials: "include", headers: {"Refresh-Attempt": "evil-evil-evil-evil-evil"}})</script>`,
			} {
				seen := 0
				s.change(func() { s.pages[host], seen = body, len(s.requests) })
				evil.visit(s.url(host, "/"))
				got := s.asked(seen, path)
				if len(got) == 0 || got[0].status < 400 || got[0].method == "POST" && got[0].status != http.StatusForbidden {
					t.Errorf("%s of %s to %s: %+v", what, host, path, got)
				}
			}
		}
	}
	if s.refreshToken(b) != before || s.count(auth.EventRenewed) != 0 || s.count(auth.EventLogout) != 0 {
		t.Error("another site has changed something")
	}
	b.eventually(`call("/me")`, "200")
}

// asked returns the requests to a path since the one of that number, as soon as
// there is one.
func (s *tokenSite) asked(since int, path string) (got []tokenRequest) {
	for start := time.Now(); time.Since(start) < hang; {
		s.mu.Lock()
		for _, r := range s.requests[since:] {
			if r.path == path {
				got = append(got, r)
			}
		}
		s.mu.Unlock()
		if len(got) > 0 {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// Page and API are of one site, but not of one origin.
func TestBrowserClientAnAPIOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	cors := func(s *tokenSite, exposed string) func(http.Header) {
		return func(h http.Header) {
			h.Set("Access-Control-Allow-Origin", s.url(app, ""))
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Refresh-Attempt")
			h.Set("Access-Control-Expose-Headers", exposed)
			h.Set("Vary", "Origin")
		}
	}
	open := func(t *testing.T, trusted ...string) (*tokenSite, tab) {
		s := openTokenSite(t, trusted...)
		return s, s.load(newTab(t), "?frozen&api="+s.url(api, ""))
	}
	t.Run("without CORS nothing is read", func(t *testing.T) {
		_, b := open(t, app)
		if got := eval[any](b, `login()`); got != "TypeError" {
			t.Errorf("login: %v", got)
		}
		b.eventually("ready()", "TypeError")
	})
	t.Run("without the trusted origin it is refused", func(t *testing.T) {
		s, b := open(t)
		s.change(func() { s.cors = cors(s, "WWW-Authenticate") })
		if got := eval[any](b, `login()`); got != 403.0 {
			t.Errorf("login: %v", got)
		}
		b.eventually("ready()", "TypeError") // no answer, and no logout
		if got := statusesOf(s.seen("POST", "/refresh")); got != "403" {
			t.Errorf("refreshes: %s", got)
		}
	})
	t.Run("with both it works", func(t *testing.T) {
		s, b := open(t, app)
		s.change(func() { s.cors = cors(s, "WWW-Authenticate, Retry-After") })
		if got := eval[any](b, `login()`); got != 200.0 {
			t.Fatalf("login: %v", got)
		}
		expire()
		if got := b.calls("/me", "/slow", "/me", "/me"); got != "200,200,200,200" {
			t.Errorf("the calls end in %s", got)
		}
		if got := statusesOf(s.seen("POST", "/refresh")); got != "200" {
			t.Errorf("refreshes: %s", got)
		}
		eval[bool](b, `client.logout().then(() => true)`)
		if s.count(auth.EventLogout) != 1 {
			t.Error("the logout has not arrived")
		}
	})
	t.Run("a challenge that cannot be read is reported once", func(t *testing.T) { // axios#6686
		s, b := open(t, app)
		s.change(func() { s.cors = cors(s, "") })
		eval[any](b, `console.warn = (text) => (globalThis.warned ??= []).push(text), login()`)
		expire()
		if got := b.calls("/me", "/me"); got != "200,200" {
			t.Errorf("the calls end in %s", got)
		}
		if got := eval[string](b, `String(globalThis.warned)`); strings.Count(got, "Access-Control-Expose-Headers: WWW-Authenticate") != 1 {
			t.Errorf("the console shows %s", got)
		}
	})
}

// Rows 6 and 10: a failure on the way does not end the login.
func TestBrowserClientANetworkErrorRefreshesNothing(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	if got := b.calls("/cut", "/me"); got != "TypeError,200" {
		t.Errorf("the calls end in %s", got)
	}
	if len(s.seen("POST", "/refresh")) != 0 || b.lost() != "" {
		t.Error("something came of it")
	}
}

// Row 14, as the browser sends bodies.
func TestBrowserClientBodiesAreSentAgainWhole(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("?frozen")
	expire()
	got := eval[string](b, `(() => {
		const form = new FormData();
		form.append("file", new File(["x".repeat(100000)], "file.txt"));
		return Promise.all(["x".repeat(100000), new Blob(["x".repeat(100000)]), new Uint8Array(100000).fill(120),
			new URLSearchParams({x: "x".repeat(99998)}), form].map(async (body) => {
			const response = await client.fetch("/me", {method: "POST", body});
			return response.status + " " + (await response.text()).match(/x=?x{99998}/g)?.length;
		})).then(String);
	})()`)
	if got != "200 1,200 1,200 1,200 1,200 1" {
		t.Errorf("text, a Blob, an array, parameters and a form come to %s", got)
	}
	if got := statusesOf(s.seen("POST", "/me")); got != "200 200 200 200 200 401 401 401 401 401" {
		t.Errorf("calls: %s", got)
	}
	expire()
	stream := `client.fetch("/me", {method: "POST", duplex: "half", body: new Blob(["stream"]).stream()}).then(async (r) => r.status + await r.text())`
	if got := eval[string](b, stream); !strings.HasPrefix(got, "401") {
		t.Errorf("a stream with an old token: %s", got)
	}
	if got := eval[string](b, stream); got != "200stream" {
		t.Errorf("a stream with a new token: %s", got)
	}
}

// Row 16: browsers take the token away from a redirect to another origin.
func TestBrowserClientARedirectLeadsTheTokenNowhere(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	b.calls("/away", s.url(foreign, "/caught")[len("https://"+foreign+":"+s.port):])
	eval[any](b, `client.fetch("`+s.url(foreign, "/caught")+`").then((r) => r.status, String)`)
	s.mu.Lock()
	defer s.mu.Unlock()
	caught := 0
	for _, r := range s.requests {
		if r.host == foreign && r.method != http.MethodOptions {
			caught++
			if r.authorization != "" {
				t.Error("another site has got the token")
			}
		}
	}
	if caught != 2 {
		t.Errorf("%d requests have reached the other site", caught)
	}
}

// Row 25: development servers start pages twice.
func TestBrowserClientAPageThatStartsTwice(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	b := s.customer("")
	expire()
	s.load(b, "")
	if got := eval[string](b, `(() => { const second = createClient(options); return Promise.all([ready(), second.ready(), ready()]).then(String) })()`); got != "true,true,true" {
		t.Errorf("it is logged in: %s", got)
	}
	time.Sleep(refreshWindow + 200*time.Millisecond)
	expire()
	if got := b.calls("/me"); got != "200" || s.count(auth.EventReuse) != 0 {
		t.Errorf("a later call ends in %s", got)
	}
}
