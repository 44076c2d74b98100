package token_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// firstFetch returns the events of a key set whose host gives one response, and whether a
// token of the minter is accepted.
func firstFetch(t *testing.T, m *minter, respond host) (heard []auth.Event, got string, ready error) {
	t.Helper()
	keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks?tenant=a", token.RemoteConfig{
		Events: func(_ context.Context, e auth.Event) { heard = append(heard, e) },
	}, respond)
	must(t, err)
	got, ready = verdict(t, remoteVerifier(t, keys), m), keys.Ready()
	synctest.Wait() // for the event, which comes after the requests are released
	must(t, keys.Close())
	return heard, got, ready
}

func responding(status int, header http.Header, body string) host {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// Each failed fetch names the URL, the status and what was expected, in the event and in
// Ready, in one printable line of bounded length. Requests get an error, not a 401.
func TestFailedFetchSaysWhatWasExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		html := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
		redirect := func(to string) http.Header { return http.Header{"Location": {to}} }
		encoded := func(name string) http.Header { return http.Header{"Content-Encoding": {name}} }
		key := strings.TrimSuffix(strings.TrimPrefix(publishes(m), `{"keys":[`), `]}`)
		deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
		for name, c := range map[string]struct {
			respond host
			want    []string
		}{
			"no connection":     {func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }, []string{"no route to host"}},
			"404":               {responding(404, nil, "x"), []string{"status 404", "expected 200"}},
			"500":               {responding(500, html, "<html>"), []string{"status 500", "expected 200"}},
			"401":               {responding(401, nil, ""), []string{"status 401", "expected 200"}},
			"204":               {responding(204, nil, ""), []string{"status 204", "expected 200"}},
			"to another host":   {responding(302, redirect("https://evil.test/keys?secret=x"), ""), []string{"status 302", "https://evil.test/keys", "redirects are not followed"}},
			"to a page":         {responding(307, redirect("/login"), ""), []string{"status 307", "https://issuer.test/login", "redirects are not followed"}},
			"to nothing":        {responding(301, nil, ""), []string{"status 301", "redirects are not followed"}},
			"to what is no URL": {responding(301, redirect("https://a\x00b/%zz"), ""), []string{"Location"}},
			"HTML":              {responding(200, html, "<!DOCTYPE html><html></html>"), []string{"status 200", `"text/html; charset=utf-8"`, "JWK Set"}},
			"nothing":           {responding(200, nil, ""), []string{"status 200", "JWK Set"}},
			"another object":    {responding(200, nil, `{"issuer":"https://issuer.test"}`), []string{"status 200", "JWK Set"}},
			"PEM":               {responding(200, nil, "-----BEGIN PUBLIC KEY-----"), []string{"status 200", "JWK Set"}},
			"no key":            {responding(200, nil, `{"keys":[]}`), []string{"status 200", "no key that can be used"}},
			"one that is odd":   {responding(200, nil, `{"keys":[{"kty":"AKP","kid":"a"}]}`), []string{"status 200", "no key that can be used", "unknown kty"}},
			"10,000 keys":       {responding(200, nil, `{"keys":[`+key+strings.Repeat(`,{}`, 9999)+`]}`), []string{"status 200", "more than 100 keys"}},
			"over a mebibyte":   {responding(200, nil, publishes(m)+strings.Repeat(" ", 1<<20)), []string{"status 200", "1048576 bytes"}},
			"nested deeply":     {responding(200, nil, `{"x":`+deep+`,"keys":[`+key+`]}`), []string{"status 200", "JWK Set"}},
			"nested in a key":   {responding(200, nil, `{"keys":[{"x":`+deep+`},`+key+`]}`), []string{"status 200", "JWK Set"}},
			"a secret":          {responding(200, nil, `{"keys":[`+key+`,{"kty":"oct","k":"c2VjcmV0"}]}`), []string{"status 200", "secret"}},
			"a bomb":            {responding(200, encoded("gzip"), zipped(strings.Repeat(" ", 64<<20))), []string{"status 200", "1048576 bytes"}},
			"no gzip":           {responding(200, encoded("gzip"), publishes(m)), []string{"status 200", "gzip"}},
			"gzip that is cut":  {responding(200, encoded("gzip"), zipped(publishes(m))[:60]), []string{"status 200", "unexpected EOF"}},
			"brotli":            {responding(200, encoded("br"), "x"), []string{"status 200", `"br"`, "identity", "gzip"}},
			"a long encoding":   {responding(200, encoded(strings.Repeat("x", 5000)), "x"), []string{"status 200"}},
			"a forged type":     {responding(200, http.Header{"Content-Type": {"a\r\nb\x1b[2J"}}, "x"), []string{"status 200"}},
		} {
			heard, got, ready := firstFetch(t, m, c.respond)
			if got != "unknown" || ready == nil || len(heard) != 1 {
				t.Errorf("%s: %s, ready: %v, %+v", name, got, ready, heard)
				continue
			}
			e := heard[0]
			text := e.Err.Error()
			if e.Kind != auth.EventFault || e.Reason != "keys not fetched" || len(text) > 500 || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
				t.Errorf("%s: %+v", name, e)
			}
			if strings.Count(text, "https://issuer.test/jwks?tenant=a") != 1 || strings.Contains(text, "secret=x") || strings.Contains(text, "c2VjcmV0") {
				t.Errorf("%s: %s", name, text)
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) || !strings.Contains(ready.Error(), want) {
					t.Errorf("%s: %q is not in: %s", name, want, text)
				}
			}
		}
	})
}

// What is odd, but leaves no doubt about a key, does not take the set down.
func TestOddKeySetsServeTheirGoodKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		key := strings.TrimSuffix(strings.TrimPrefix(publishes(m), `{"keys":[`), `]}`)
		set := func(entries ...string) string { return `{"keys":[` + strings.Join(entries, ",") + `]}` }
		odd := make([]string, 0, 99)
		for i := range 99 {
			odd = append(odd, fmt.Sprintf(`{"kty":"AKP","kid":"%d"}`, i))
		}
		for name, c := range map[string]struct {
			document string
			left     int // entries left out
		}{
			"a mebibyte":           {publishes(m) + strings.Repeat(" ", 1<<20-len(publishes(m))), 0},
			"a mebibyte in a key":  {set(strings.Replace(key, "{", `{"x5c":["`+strings.Repeat("A", 1<<20-1000)+`"],`, 1)), 0},
			"100 entries":          {set(append(odd, key)...), 99},
			"unknown kty":          {set(`{"kty":"XYZ","kid":"a"}`, key), 1},
			"an unknown curve":     {set(`{"kty":"EC","crv":"secp256k1","kid":"a","x":"AA","y":"AA"}`, key), 1},
			"no kty":               {set(`{"kid":"a"}`, key), 1},
			"every wrong type":     {set(`null`, `1`, `"x"`, `true`, `[]`, `{"kty":1}`, `{"kty":"RSA","n":1,"e":[],"kid":{}}`, key), 7},
			"wrong types beside":   {set(strings.Replace(key, "{", `{"x5c":7,"x5t":[],"exp":"never","oth2":null,`, 1)), 0},
			"one kid for two keys": {set(key, strings.Replace(publishes(newMinter(t))[9:], "]}", "", 1), `{"kty":"OKP","crv":"Ed25519","kid":"b","x":"AA"}`), 1},
			"the key twice":        {set(key, key), 0},
			"other members":        {`{"issuer":"x","keys":[` + key + `],"next":{"a":[1,null]}}`, 0},
		} {
			heard, got, ready := firstFetch(t, m, responding(200, nil, c.document))
			if got != "ok" || ready != nil || len(heard) != c.left {
				t.Errorf("%s: %s, %v, %d events: %+v", name, got, ready, len(heard), heard)
			}
			for _, e := range heard {
				if e.Reason != "key left out" || !strings.Contains(e.Err.Error(), "https://issuer.test/jwks") {
					t.Errorf("%s: %+v", name, e)
				}
			}
		}
	})
}

// A body that trickles in is given up after 10 seconds in all, and the error says so.
func TestSlowBodyIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		heard, got, _ := firstFetch(t, newMinter(t), func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(slow{r.Context()}), Request: r}, nil
		})
		text := heard[0].Err.Error()
		if got != "unknown" || time.Since(start) != 10*time.Second || !strings.Contains(text, "https://issuer.test/jwks") || !strings.Contains(text, "status 200") || !errors.Is(heard[0].Err, context.DeadlineExceeded) {
			t.Errorf("%s after %v: %s", got, time.Since(start), text)
		}
	})
}
