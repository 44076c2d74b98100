package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// chromium starts one headless browser for all tests.
var chromium = sync.OnceValues(func() (context.Context, error) {
	ctx, stop, err := startChromium()
	closeBrowser = stop
	return ctx, err
})

var closeBrowser = func() {}

// startChromium starts a browser of its own.
func startChromium(more ...chromedp.ExecAllocatorOption) (ctx context.Context, stop func(), err error) {
	file, err := exec.LookPath("chromium")
	if err != nil {
		return nil, func() {}, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(file),
		chromedp.Env("TMPDIR="+lasting),                                 // it leaves things behind
		chromedp.IgnoreCertErrors,                                       // the servers of the tests sign for themselves
		chromedp.Flag("ignore-certificate-errors-spki-list", testKey()), // and are believed, so that pages are cached
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
		chromedp.Flag("disable-features", "HttpsUpgrades"), // plain http stays plain
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	return ctx, func() { cancel(); end() }, chromedp.Do(ctx)
}

// testKey is the digest of the key that all servers of package httptest have.
func testKey() string {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	digest := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(digest[:])
}

// tab is one tab of a browser that shares its cookies with no other.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func newTab(t *testing.T) tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		missing(t, "chromium")
	}
	browser, err := chromium()
	if err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return newTabIn(t, browser)
}

func newTabIn(t *testing.T, browser context.Context) tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 2*hang)
	t.Cleanup(cancel)
	return tab{t, ctx}
}

// visit goes to a page and returns its status.
func (b tab) visit(url string) (status int64) {
	b.t.Helper()
	res, err := chromedp.Run(b.ctx, chromedp.NavigateResponse(url))
	if err != nil {
		b.t.Fatalf("%s: %v", url, err)
	}
	return res.Status
}

// click presses the first thing that a CSS selector finds, and returns the
// status of the page that this leads to.
func (b tab) click(selector string) (status int64) {
	b.t.Helper()
	res, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatalf("click on %s: %v", selector, err)
	}
	return res.Status
}

func (b tab) fill(selector, value string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.SetValue(chromedp.CSS(selector), value)); err != nil {
		b.t.Fatalf("fill in %s: %v", selector, err)
	}
}

// eval runs a script in the page, waits for its promise and returns its value.
func eval[T any](b tab, script string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("script: %v", err)
	}
	return value
}

func (b tab) text() string {
	b.t.Helper()
	return eval[string](b, "document.body.innerText")
}

// textNow is text for a page that may be changing: then it returns "".
func (b tab) textNow() string {
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
	return text
}

func (b tab) shows(text string) {
	b.t.Helper()
	if got := b.text(); !strings.Contains(got, text) {
		b.t.Errorf("the page does not show %q but %q", text, got)
	}
}

func (b tab) path() string {
	b.t.Helper()
	return eval[string](b, "location.pathname + location.search")
}

// cookies returns what the browser would send to url, with any name.
func (b tab) cookies(url string) []*network.Cookie {
	b.t.Helper()
	res, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{url}})
	if err != nil {
		b.t.Fatal(err)
	}
	return res.Cookies
}
